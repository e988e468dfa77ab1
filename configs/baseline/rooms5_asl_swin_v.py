"""Rooms with partial overlap, sequence labels: the MultiASL student with a Swin-miniature for each view, alone."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.rooms5 import *
    from .._base_.models.external import asl_swin_v as student
    from .._base_.runtime import *
    from .._base_.schedules.adamw_12e import *

from kdbench.losses import ActionSelection
from kdbench.models import Distillation

param_scheduler[0].update(eta_max=1e-3)  # transformers
task_loss = dict(type=ActionSelection)
model = dict(type=Distillation, data=data, student=student, task_loss=task_loss, preprocessor=preprocessor)
