"""Rooms with 5 views, overlap 1.0, sequence labels: the MultiASL student that only sees, alone."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.rooms5_overlap100 import *
    from .._base_.models.multiasl import asl_v as student
    from .._base_.runtime import *
    from .._base_.schedules.adamw_12e import *

from kdbench.losses import ActionSelection
from kdbench.models import Distillation

task_loss = dict(type=ActionSelection)
model = dict(type=Distillation, data=data, student=student, task_loss=task_loss, preprocessor=preprocessor)
