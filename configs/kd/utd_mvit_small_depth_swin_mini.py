"""UTD-MHAD, cross-subject, all labels: MViT-S on depth as teacher (wants a GPU), Swin-miniature on depth, KD."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.utd import *
    from .._base_.distillers.logits import kd as distiller
    from .._base_.models.external import swin_mini as student
    from .._base_.models.external_paper import mvit_small_depth as teacher
    from .._base_.runtime import *
    from .._base_.schedules.adamw_40e import *

from kdbench.models import Distillation

distiller.update(tau=3.0)
param_scheduler[0].update(eta_max=1e-3)  # transformers
model = dict(
    type=Distillation,
    data=data,
    teacher=teacher,
    student=student,
    distiller=distiller,
    task_weight=0.3,
    distill_weight=0.7,
)
