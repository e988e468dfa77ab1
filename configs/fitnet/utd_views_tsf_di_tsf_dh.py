"""UTD-MHAD virtual views, sequence labels: MultiTSF with the sensor teaches one that guesses it; FitNets."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.utd_views import *
    from .._base_.distillers.features import fitnet as distiller
    from .._base_.models.utd_views import tsf_dh as student
    from .._base_.models.utd_views import tsf_di as teacher
    from .._base_.runtime import *
    from .._base_.schedules.adamw_24e import *

from kdbench.losses import TwoWay
from kdbench.models import Distillation

task_loss = dict(type=TwoWay)
model = dict(
    type=Distillation,
    data=data,
    teacher=teacher,
    student=student,
    distiller=distiller,
    task_loss=task_loss,
    distill_weight=1.0,
)
