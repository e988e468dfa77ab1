"""N-UCLA, cross-view, read as CTR-GCN reads it, for a student a training view: each sees the clips of its view alone.

As ``nucla_views``; teachers are those of ``nucla_boxed``.
"""

from mmengine.config import read_base

with read_base():
    from .nucla_boxed import *

from kdbench.evaluation import EachOf

data.update(inputs=dict(skeleton=(52, 20, 3), view_skeleton=(2, 52, 20, 3), view_shown=(2,)))
test_evaluator = [
    *test_evaluator,
    dict(type=EachOf, metric=dict(type=TopK), names=("student_of_view_1", "student_of_view_2")),
]
