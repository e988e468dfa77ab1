"""N-UCLA, cross-view, the labelled 5 % of the clips only, at as many steps as all rows ``nucla_boxed_*``; test view 3."""

from mmengine.config import read_base

with read_base():
    from .nucla_boxed import *

labels = "5 % of the clips; no other clip is seen"
teacher_weights = "work_dirs/baseline/nucla_boxed_p5_labels_{part}/seed{seed}/student.safetensors"
data.update(num_train=51)
train_dataloader.update(dataset=dict(labelled=dict(fraction=0.05, seed=0), unlabelled="drop"))
