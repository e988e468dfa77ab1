"""UTD-MHAD, few labels for both: one clip of each class is labelled, which is 27 of 431, some 5 %, the others not; test 2 4 6 8.

The teacher was trained on these only (rows ``utd_p5_labels_*``), so its outputs give no label away.
"""

from mmengine.config import read_base

with read_base():
    from .utd import *

labels = "5 % of the clips; the others unlabelled, teacher trained on the 5 % only"
teacher_labels = "5 % of the clips"
teacher_weights = "work_dirs/baseline/utd_p5_labels_{part}/seed{seed}/student.safetensors"
train_dataloader.update(dataset=dict(labelled=dict(fraction=0.05, seed=0)))
