"""Rooms with partial overlap and frame labels: what a fully supervised teacher may see."""

from mmengine.config import read_base

with read_base():
    from .rooms5 import *

labels = "frame"
data.update(fields=dict(target=(8,), visible=(5, 8), frame_target=(8, 8)))
train_dataloader.update(dataset=dict(supervision="frame"))
