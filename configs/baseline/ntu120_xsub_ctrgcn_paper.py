"""NTU RGB+D 120, cross-subject, all labels: CTR-GCN at its published size, joints, alone."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.ntu120_xsub import *
    from .._base_.models.skeleton_paper import ctrgcn_paper as student
    from .._base_.runtime import *
    from .._base_.schedules.sgd_80e import *

from kdbench.models import Distillation

model = dict(type=Distillation, data=data, student=student)
