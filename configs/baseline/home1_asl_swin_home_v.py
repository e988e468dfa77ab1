"""MultiSensor-Home1, sequence labels: the MultiASL student that only sees, alone, frames by a Swin-miniature."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.home1 import *
    from .._base_.models.external_paper import asl_swin_home_v as student
    from .._base_.runtime import *
    from .._base_.schedules.adam_50e import *

from kdbench.losses import ActionSelection
from kdbench.models import Distillation

task_loss = dict(type=ActionSelection)
model = dict(type=Distillation, data=data, student=student, task_loss=task_loss, preprocessor=preprocessor)
