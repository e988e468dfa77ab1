"""Virtual views of UTD-MHAD with frame labels: what a fully supervised network may see."""

from mmengine.config import read_base

with read_base():
    from .utd_views import *

labels = "frame"
data.update(fields=dict(target=(27,), visible=(3, 24), frame_target=(24, 27)))
train_dataloader.update(dataset=dict(supervision="frame"))
