"""MultiSensor-Home2 with frame labels: what a fully supervised teacher may see."""

from mmengine.config import read_base

with read_base():
    from .home2 import *

labels = "frame"
data.update(fields=dict(target=(16,), visible=(5, 70), frame_target=(70, 16)))
train_dataloader.update(dataset=dict(supervision="frame"))
