"""UTD-MHAD virtual views, sequence labels: MultiASL with depth only, started from a teacher without the sensor, alone."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.utd_views import *
    from .._base_.models.utd_views import asl_d_start_d as student
    from .._base_.runtime import *
    from .._base_.schedules.adamw_24e import *

from kdbench.losses import ActionSelection
from kdbench.models import Distillation

task_loss = dict(type=ActionSelection)
model = dict(type=Distillation, data=data, student=student, task_loss=task_loss)
