"""MultiSensor-Home1, frame labels: the MultiASL teacher that sees and hears."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.home1_frame import *
    from .._base_.models.multiasl_paper import asl_vit_av as student
    from .._base_.runtime import *
    from .._base_.schedules.adam_50e import *

from kdbench.losses import ActionSelection
from kdbench.models import Distillation

task_loss = dict(type=ActionSelection, frame_weight=1.0)
model = dict(type=Distillation, data=data, student=student, task_loss=task_loss, preprocessor=preprocessor)
