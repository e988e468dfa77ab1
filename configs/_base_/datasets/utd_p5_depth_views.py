"""UTD-MHAD, few labels for both, depth in three virtual views: a twentieth of the clips are labelled, the same share of each class."""

from mmengine.config import read_base

with read_base():
    from .utd_depth_views import *

labels = "5 % of the clips; the others unlabelled, teacher trained on the 5 % only"
teacher_labels = "5 % of the clips"
teacher_weights = "work_dirs/baseline/utd_p5_labels_{part}/seed{seed}/student.safetensors"
train_dataloader.update(dataset=dict(labelled=dict(fraction=0.05, seed=0)))
