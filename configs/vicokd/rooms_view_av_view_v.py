"""Rooms, sequence labels: audio-visual teacher with frame labels, visual student, ViCoKD."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.rooms import *
    from .._base_.distillers.vicokd import vicokd as distiller
    from .._base_.models.multiview import view_av as teacher
    from .._base_.models.multiview import view_v as student
    from .._base_.runtime import *
    from .._base_.schedules.adamw_24e import *

from kdbench.losses import BinaryCrossEntropy
from kdbench.models import Distillation

task_loss = dict(type=BinaryCrossEntropy, scale=5.0)
train_cfg.update(val_interval=1)
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
