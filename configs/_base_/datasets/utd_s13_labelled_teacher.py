"""UTD-MHAD, labelled teacher: for the student subjects 1 and 3 are labelled, 5 and 7 are clips without labels; test 2 4 6 8.

The teacher was trained on the labels of all training clips (rows ``utd_*``), and what it says of the others gives most
of them away. Not to be compared with rows in which the labels are few for both (data part ``utd_s13``).
"""

from mmengine.config import read_base

with read_base():
    from .utd_s13 import *

labels = "subjects 1 and 3; 5 and 7 unlabelled, teacher trained on all labels"
teacher_labels = "all"
teacher_weights = "work_dirs/baseline/utd_{part}/seed{seed}/student.safetensors"
