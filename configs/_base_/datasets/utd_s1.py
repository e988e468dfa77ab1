"""UTD-MHAD, few labels for both: subject 1 is labelled, 3, 5 and 7 are clips without labels; test 2 4 6 8.

The teacher was trained on subject 1 only (rows ``utd_s1_labels_*``), so its outputs give no label away.
"""

from mmengine.config import read_base

with read_base():
    from .utd import *

labels = "subject 1; 3, 5 and 7 unlabelled, teacher trained on 1 only"
teacher_labels = "subjects 1"
teacher_weights = "work_dirs/baseline/utd_s1_labels_{part}/seed{seed}/student.safetensors"
train_dataloader.update(dataset=dict(labelled=dict(subjects=(1,))))
