"""Rooms with partial overlap, sequence labels: audio-visual MultiTrans teacher, visual student, CRD."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.rooms5 import *
    from .._base_.distillers.rooms5 import rooms_crd as distiller
    from .._base_.models.multitrans import trans_av as teacher
    from .._base_.models.multitrans import trans_v as student
    from .._base_.runtime import *
    from .._base_.schedules.adamw_12e import *

from kdbench.losses import TwoWay
from kdbench.models import Distillation

task_loss = dict(type=TwoWay)
model = dict(
    type=Distillation,
    data=data,
    teacher=teacher,
    student=student,
    distiller=distiller,
    task_loss=task_loss,
    preprocessor=preprocessor,
)
