"""NTU RGB+D 60, cross-view (cameras 2 3 train): everything but the samples is as in ntu60_xsub."""

from mmengine.config import read_base

with read_base():
    from .ntu60_xsub import *

data.update(num_train=37646)
protocol = "xview-60"
teacher_weights = "work_dirs/baseline/ntu60_xview_{part}/seed{seed}/student.safetensors"
train_dataloader.update(dataset=dict(protocol=protocol))
test_dataloader.update(dataset=dict(protocol=protocol))
