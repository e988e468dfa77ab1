"""Rooms with 5 views and a sector for each camera, sequence labels. Everything but the overlap is as in rooms5."""

from mmengine.config import read_base

with read_base():
    from .rooms5 import *

protocol = "one home, 5 views, overlap 0.0"
teacher_weights = "work_dirs/baseline/rooms5_overlap0_frame_{part}/seed{seed}/student.safetensors"
train_dataloader.update(dataset=dict(overlap=0.0))
val_dataloader.update(dataset=dict(overlap=0.0))
test_dataloader.update(dataset=dict(overlap=0.0))
