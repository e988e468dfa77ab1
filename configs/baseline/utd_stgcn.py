"""UTD-MHAD, cross-subject, all labels: compact ST-GCN (joint, bone and motion) alone; the guide of tsmf/."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.utd import *
    from .._base_.models.skeleton import stgcn as student
    from .._base_.runtime import *
    from .._base_.schedules.adamw_60e import *

from kdbench.models import Distillation

param_scheduler[0].update(eta_max=5e-3)
optim_wrapper["optimizer"].update(lr=5e-3)
model = dict(type=Distillation, data=data, student=student)
