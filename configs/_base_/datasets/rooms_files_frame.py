"""Rooms in files with frame labels: what a fully supervised teacher may see."""

from mmengine.config import read_base

with read_base():
    from .rooms_files import *

labels = "frame"
data.update(fields=dict(target=(8,), visible=(3, 8), frame_target=(8, 8)))
train_dataloader.update(dataset=dict(supervision="frame"))
