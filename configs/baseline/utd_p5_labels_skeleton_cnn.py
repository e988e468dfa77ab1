"""UTD-MHAD, cross-subject, the labelled 5 % of the clips only: skeleton (joint, bone and motion) alone.

A teacher of other rows, hence without label smoothing.
"""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.utd_p5_labels import *
    from .._base_.models.skeleton import skeleton_cnn as student
    from .._base_.runtime import *
    from .._base_.schedules.adamw_60e import *

from kdbench.models import Distillation

model = dict(type=Distillation, data=data, student=student)
