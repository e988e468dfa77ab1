"""UTD-MHAD, one labelled clip of each class only, which is 27 of 431, some 5 %, at as many steps as all rows; test 2 4 6 8."""

from mmengine.config import read_base

with read_base():
    from .utd import *

labels = "5 % of the clips; no other clip is seen"
data.update(num_train=27)
train_dataloader.update(dataset=dict(labelled=dict(fraction=0.05, seed=0), unlabelled="drop"))
