"""Virtual views of UTD-MHAD to choose settings on: train 1 3 5, validation 7, frame labels."""

from mmengine.config import read_base

with read_base():
    from .utd_views_three import *

labels = "frame"
data.update(fields=dict(target=(27,), visible=(3, 24), frame_target=(24, 27)))
train_dataloader.update(dataset=dict(supervision="frame"))
