"""MM-Office with frame labels: the 88 strongly labelled recordings, which MultiASL's split leaves unused, to train on."""

from mmengine.config import read_base

with read_base():
    from .mm_office import *

labels = "frame"
data.update(num_train=88, fields=dict(target=(12,), visible=(4, 50), frame_target=(50, 12)))
train_dataloader.update(dataset=dict(supervision="frame"))
