"""UTD-MHAD virtual views, sequence labels: MultiASL with the sensor teaches one without; FitNets."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.utd_views import *
    from .._base_.distillers.features import fitnet as distiller
    from .._base_.models.utd_views import asl_d as student
    from .._base_.models.utd_views import asl_di as teacher
    from .._base_.runtime import *
    from .._base_.schedules.adamw_24e import *

from kdbench.losses import ActionSelection
from kdbench.models import Distillation

task_loss = dict(type=ActionSelection)
model = dict(
    type=Distillation,
    data=data,
    teacher=teacher,
    student=student,
    distiller=distiller,
    task_loss=task_loss,
    distill_weight=1.0,
)
