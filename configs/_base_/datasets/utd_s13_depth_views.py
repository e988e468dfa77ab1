"""UTD-MHAD, few labels for both, depth in three virtual views: subjects 1 and 3 are labelled, 5 and 7 are clips without labels."""

from mmengine.config import read_base

with read_base():
    from .utd_depth_views import *

labels = "subjects 1 and 3; 5 and 7 unlabelled, teacher trained on 1 and 3 only"
teacher_labels = "subjects 1 3"
teacher_weights = "work_dirs/baseline/utd_s13_labels_{part}/seed{seed}/student.safetensors"
train_dataloader.update(dataset=dict(labelled=dict(subjects=(1, 3))))
