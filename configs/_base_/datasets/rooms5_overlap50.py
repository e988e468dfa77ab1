"""Rooms with 5 views and views that share half of the room, sequence labels. Everything but the overlap is as in rooms5."""

from mmengine.config import read_base

with read_base():
    from .rooms5 import *

protocol = "one home, 5 views, overlap 0.5"
teacher_weights = "work_dirs/baseline/rooms5_overlap50_frame_{part}/seed{seed}/student.safetensors"
train_dataloader.update(dataset=dict(overlap=0.5))
val_dataloader.update(dataset=dict(overlap=0.5))
test_dataloader.update(dataset=dict(overlap=0.5))
