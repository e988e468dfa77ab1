"""NTU RGB+D 60, cross-subject, 5 % of the takes and no other: ST-GCN++ at its published size, joints, alone."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.ntu60_xsub_p5_labels import *
    from .._base_.models.skeleton_paper import stgcnpp_paper as student
    from .._base_.runtime import *
    from .._base_.schedules.sgd_80e import *

from kdbench.models import Distillation

model = dict(type=Distillation, data=data, student=student)
