"""MultiSensor-Home1, sequence labels: audio-visual MultiASL teacher, visual student, frames by a Swin-miniature, FitNets."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.home1 import *
    from .._base_.distillers.features import fitnet as distiller
    from .._base_.models.multiasl_paper import asl_vit_av as teacher
    from .._base_.models.external_paper import asl_swin_home_v as student
    from .._base_.runtime import *
    from .._base_.schedules.adam_50e import *

from kdbench.losses import ActionSelection
from kdbench.models import Distillation

task_loss = dict(type=ActionSelection)
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
