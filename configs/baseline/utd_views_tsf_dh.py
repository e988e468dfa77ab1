"""UTD-MHAD virtual views, sequence labels: MultiTSF with a guess of the sensor, alone."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.utd_views import *
    from .._base_.models.utd_views import tsf_dh as student
    from .._base_.runtime import *
    from .._base_.schedules.adamw_24e import *

from kdbench.losses import TwoWay
from kdbench.models import Distillation

task_loss = dict(type=TwoWay)
model = dict(type=Distillation, data=data, student=student, task_loss=task_loss)
