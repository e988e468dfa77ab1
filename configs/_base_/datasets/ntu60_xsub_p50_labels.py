"""NTU RGB+D 60, cross-subject, the labelled 50 % of the takes only, at as many steps as all rows."""

from mmengine.config import read_base

with read_base():
    from .ntu60_xsub import *

labels = "50 % of the clips; no other clip is seen"
data.update(num_train=20039)
teacher_weights = "work_dirs/baseline/ntu60_xsub_p50_labels_{part}/seed{seed}/student.safetensors"
train_dataloader.update(
    sampler=dict(samples_per_epoch=40091),
    dataset=dict(labelled=dict(fraction=0.5, seed=0), unlabelled="drop"),
)
