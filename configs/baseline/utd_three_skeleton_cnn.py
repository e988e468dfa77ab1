"""UTD-MHAD, three-subject protocol: skeleton CNN without label smoothing, the teacher with which weights are chosen."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.utd_three import *
    from .._base_.models.skeleton import skeleton_cnn as student
    from .._base_.runtime import *
    from .._base_.schedules.adamw_60e import *

from kdbench.models import Distillation

model = dict(type=Distillation, data=data, student=student)
