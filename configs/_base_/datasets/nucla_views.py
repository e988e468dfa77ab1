"""N-UCLA, cross-view, all labels, for a student a training view: each sees the clips of its view alone.

The views are not synchronous, so no clip pairs them and there is nothing for students to agree on; view 3 is tested by
each student and by both.
"""

from mmengine.config import read_base

with read_base():
    from .nucla import *

from kdbench.evaluation import EachOf

data.update(inputs=dict(skeleton=(48, 20, 3), view_skeleton=(2, 48, 20, 3), view_shown=(2,)))
test_evaluator = [
    *test_evaluator,
    dict(type=EachOf, metric=dict(type=TopK), names=("student_of_view_1", "student_of_view_2")),
]
