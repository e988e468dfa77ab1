"""Rooms with partial overlap, sequence labels: MultiASL that hears teaches a Swin-miniature, ViCoKD without the adapter."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.rooms5 import *
    from .._base_.distillers.rooms5 import rooms_vicokd as distiller
    from .._base_.models.external import asl_swin_v as student
    from .._base_.models.multiasl import asl_av as teacher
    from .._base_.runtime import *
    from .._base_.schedules.adamw_12e import *

from kdbench.losses import ActionSelection
from kdbench.models import Distillation

param_scheduler[0].update(eta_max=1e-3)  # transformers
task_loss = dict(type=ActionSelection)
model = dict(
    type=Distillation,
    data=data,
    teacher=teacher,
    student=student,
    distiller=distiller,
    task_loss=task_loss,
    preprocessor=preprocessor,
)
