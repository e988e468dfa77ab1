"""UTD-MHAD, the labelled clips of subject 1 only, at as many steps as all rows; test 2 4 6 8."""

from mmengine.config import read_base

with read_base():
    from .utd import *

labels = "subject 1; no other clip is seen"
data.update(num_train=107)
train_dataloader.update(dataset=dict(train_subjects=(1,)))
