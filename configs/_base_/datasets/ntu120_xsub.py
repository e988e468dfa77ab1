"""NTU RGB+D 120, cross-subject: everything but the samples is as in ntu60_xsub."""

from mmengine.config import read_base

with read_base():
    from .ntu60_xsub import *

data.update(name="NTU RGB+D 120", num_classes=120, num_train=63026)
protocol = "xsub-120"
teacher_weights = "work_dirs/baseline/ntu120_xsub_{part}/seed{seed}/student.safetensors"
train_dataloader.update(dataset=dict(protocol=protocol))
test_dataloader.update(dataset=dict(protocol=protocol))
