"""NTU RGB+D 60, cross-subject, all labels: takes of three cameras, some absent, for a student a view.

The teacher reads the skeleton of the first camera that is there; the cameras filmed at the same time.
"""

from mmengine.config import read_base

with read_base():
    from .ntu60_xsub import *

from kdbench.datasets import NTUTakes
from kdbench.evaluation import EachOf

data.update(
    inputs=dict(skeleton=(2, 100, 25, 3), rgb=(3, 16, 3, 112, 112), view_shown=(3,)),
    num_train=13433,
)
train_dataloader.update(batch_size=32, dataset=dict(type=NTUTakes))
test_dataloader.update(batch_size=32, dataset=dict(type=NTUTakes))
test_evaluator = [*test_evaluator, dict(type=EachOf, metric=dict(type=TopK))]
