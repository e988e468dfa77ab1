"""UTD-MHAD, cross-subject, all labels, depth in three virtual views of each clip; for a student a view.

The views are the one camera's surface turned by 45 degrees either way, all at the same time: synchronous, and with holes
where the camera saw nothing.
"""

from mmengine.config import read_base

with read_base():
    from .utd import *

from kdbench.evaluation import EachOf

angles = (-45.0, 0.0, 45.0)
data.update(inputs=dict(depth=(3, 16, 2, 48, 48)))
teacher_weights = "work_dirs/baseline/utd_{part}/seed{seed}/student.safetensors"
train_dataloader.update(dataset=dict(depth_angles=angles))
test_dataloader.update(dataset=dict(depth_angles=angles))
test_evaluator = [
    *test_evaluator,
    dict(type=EachOf, metric=dict(type=TopK)),
]
