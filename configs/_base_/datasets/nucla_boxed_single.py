"""N-UCLA as ``nucla_boxed`` reads it, to choose settings on: train view 1, validation view 2, test view 3."""

from mmengine.config import read_base

with read_base():
    from .nucla_published_single import *

teacher_weights = "work_dirs/baseline/nucla_boxed_single_{part}/seed{seed}/student.safetensors"
train_dataloader.update(batch_size=32, sampler=dict(samples_per_epoch=512))
