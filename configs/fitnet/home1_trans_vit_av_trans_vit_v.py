"""MultiSensor-Home1, sequence labels: audio-visual MultiTrans teacher, visual student, FitNets."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.home1 import *
    from .._base_.distillers.features import fitnet as distiller
    from .._base_.models.multitrans_paper import trans_vit_av as teacher
    from .._base_.models.multitrans_paper import trans_vit_v as student
    from .._base_.runtime import *
    from .._base_.schedules.adam_50e import *

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
    distill_weight=1.0,
)
