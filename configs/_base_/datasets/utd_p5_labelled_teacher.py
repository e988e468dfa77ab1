"""UTD-MHAD, labelled teacher: for the student one clip of each class is labelled, which is 27 of 431, some 5 %, the others not; test 2 4 6 8.

The teacher was trained on the labels of all training clips (rows ``utd_*``), and what it says of the others gives most
of them away. Not to be compared with rows in which the labels are few for both (data part ``utd_p5``).
"""

from mmengine.config import read_base

with read_base():
    from .utd_p5 import *

labels = "5 % of the clips; the others unlabelled, teacher trained on all labels"
teacher_labels = "all"
teacher_weights = "work_dirs/baseline/utd_{part}/seed{seed}/student.safetensors"
