"""MultiSensor-Home2, frame labels: audio-visual MultiTrans teacher, visual student that guesses the sound, ViCoKD."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.home2_frame import *
    from .._base_.distillers.vicokd import vicokd as distiller
    from .._base_.models.multitrans_paper import trans_vit_av as teacher
    from .._base_.models.multitrans_paper import trans_vit_vh as student
    from .._base_.runtime import *
    from .._base_.schedules.adam_50e import *

from kdbench.losses import TwoWay
from kdbench.models import Distillation

task_loss = dict(type=TwoWay, frame_weight=1.0)
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
