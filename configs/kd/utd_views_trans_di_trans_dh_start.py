"""UTD-MHAD virtual views, sequence labels: MultiTrans with the sensor teaches one that guesses it, started from it; KD."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.utd_views import *
    from .._base_.distillers.logits import kd as distiller
    from .._base_.models.utd_views import trans_dh_start as student
    from .._base_.models.utd_views import trans_di as teacher
    from .._base_.runtime import *
    from .._base_.schedules.adamw_24e import *

from kdbench.losses import BinaryCrossEntropy
from kdbench.models import Distillation

task_loss = dict(type=BinaryCrossEntropy, scale=5.0)
distiller.update(tau=1.0)
model = dict(
    type=Distillation,
    data=data,
    teacher=teacher,
    student=student,
    distiller=distiller,
    task_loss=task_loss,
    distill_weight=5.0,
)
