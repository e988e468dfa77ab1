"""UTD-MHAD, the labelled 50 % of the clips only, at as many steps as all rows; test 2 4 6 8."""

from mmengine.config import read_base

with read_base():
    from .utd import *

labels = "50 % of the clips; no other clip is seen"
data.update(num_train=216)
train_dataloader.update(dataset=dict(labelled=dict(fraction=0.5, seed=0), unlabelled="drop"))
