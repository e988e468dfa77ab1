"""UTD-MHAD, few labels for both, depth in three virtual views: half of the clips are labelled, the same share of each class."""

from mmengine.config import read_base

with read_base():
    from .utd_depth_views import *

labels = "50 % of the clips; the others unlabelled, teacher trained on the 50 % only"
teacher_labels = "50 % of the clips"
teacher_weights = "work_dirs/baseline/utd_p50_labels_{part}/seed{seed}/student.safetensors"
train_dataloader.update(dataset=dict(labelled=dict(fraction=0.5, seed=0)))
