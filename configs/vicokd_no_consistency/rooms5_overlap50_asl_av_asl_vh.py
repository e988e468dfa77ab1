"""Rooms with 5 views, overlap 0.5, sequence labels: audio-visual MultiASL teacher, visual student with adapter, ViCoKD without consistency."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.rooms5_overlap50 import *
    from .._base_.distillers.rooms5 import rooms_vicokd_no_consistency as distiller
    from .._base_.models.multiasl import asl_av as teacher
    from .._base_.models.multiasl import asl_vh as student
    from .._base_.runtime import *
    from .._base_.schedules.adamw_12e import *

from kdbench.losses import ActionSelection
from kdbench.models import Distillation

lone_student = "asl_v"  # the adapter is part of the method
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
