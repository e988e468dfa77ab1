"""UTD-MHAD, cross-subject, all labels: MViT-S on depth as teacher (wants a GPU), MViT-miniature on depth, FitNets on tokens as maps."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.utd import *
    from .._base_.distillers.features import fitnet as distiller
    from .._base_.models.external import mvit_mini as student
    from .._base_.models.external_paper import mvit_small_depth as teacher
    from .._base_.runtime import *
    from .._base_.schedules.adamw_40e import *

from kdbench.models import Distillation

param_scheduler[0].update(eta_max=1e-3)  # transformers
model = dict(
    type=Distillation,
    data=data,
    teacher=teacher,
    student=student,
    distiller=distiller,
    distill_weight=100.0,
)
