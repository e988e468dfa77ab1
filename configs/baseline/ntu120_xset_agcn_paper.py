"""NTU RGB+D 120, cross-setup, all labels: 2s-AGCN, one stream at its published size, joints, alone."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.ntu120_xset import *
    from .._base_.models.skeleton_paper import agcn_paper as student
    from .._base_.runtime import *
    from .._base_.schedules.sgd_80e import *

from kdbench.models import Distillation

model = dict(type=Distillation, data=data, student=student)
