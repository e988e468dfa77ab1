"""UTD-MHAD, few labels for both: a tenth of the clips are labelled, the same share of each class, the others not; test 2 4 6 8.

The teacher was trained on these only (rows ``utd_p10_labels_*``), so its outputs give no label away.
"""

from mmengine.config import read_base

with read_base():
    from .utd import *

labels = "10 % of the clips; the others unlabelled, teacher trained on the 10 % only"
teacher_labels = "10 % of the clips"
teacher_weights = "work_dirs/baseline/utd_p10_labels_{part}/seed{seed}/student.safetensors"
train_dataloader.update(dataset=dict(labelled=dict(fraction=0.1, seed=0)))
