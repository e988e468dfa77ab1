"""Rooms with partial overlap, frame labels: audio-visual MultiTSF teacher, visual student with adapter, ViCoKD."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.rooms5_frame import *
    from .._base_.distillers.rooms5 import rooms_vicokd as distiller
    from .._base_.models.multitsf import tsf_av as teacher
    from .._base_.models.multitsf import tsf_vh as student
    from .._base_.runtime import *
    from .._base_.schedules.adamw_12e import *

from kdbench.losses import TwoWay
from kdbench.models import Distillation

lone_student = "tsf_v"  # the adapter is part of the method
task_loss = dict(type=TwoWay, frame_weight=1.0)
model = dict(
    type=Distillation,
    data=data,
    teacher=teacher,
    student=student,
    distiller=distiller,
    task_loss=task_loss,
    preprocessor=preprocessor,
)
