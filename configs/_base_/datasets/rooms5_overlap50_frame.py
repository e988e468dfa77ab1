"""Rooms with 5 views and views that share half of the room, frame labels."""

from mmengine.config import read_base

with read_base():
    from .rooms5_overlap50 import *

labels = "frame"
data.update(fields=dict(target=(8,), visible=(5, 8), frame_target=(8, 8)))
train_dataloader.update(dataset=dict(supervision="frame"))
