"""MultiSensor-Home2, sequence labels: the MultiTrans student that only sees, alone."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.home2 import *
    from .._base_.models.multitrans_paper import trans_vit_v as student
    from .._base_.runtime import *
    from .._base_.schedules.adam_50e import *

from kdbench.losses import TwoWay
from kdbench.models import Distillation

task_loss = dict(type=TwoWay)
model = dict(type=Distillation, data=data, student=student, task_loss=task_loss, preprocessor=preprocessor)
