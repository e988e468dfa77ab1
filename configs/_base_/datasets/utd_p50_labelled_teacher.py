"""UTD-MHAD, labelled teacher: for the student half of the clips are labelled, the same share of each class, the others not; test 2 4 6 8.

The teacher was trained on the labels of all training clips (rows ``utd_*``), and what it says of the others gives most
of them away. Not to be compared with rows in which the labels are few for both (data part ``utd_p50``).
"""

from mmengine.config import read_base

with read_base():
    from .utd_p50 import *

labels = "50 % of the clips; the others unlabelled, teacher trained on all labels"
teacher_labels = "all"
teacher_weights = "work_dirs/baseline/utd_{part}/seed{seed}/student.safetensors"
