"""NTU RGB+D 60, cross-subject, all labels: ST-GCN++ skeleton teacher, MViT-miniature on RGB, KD."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.ntu60_xsub import *
    from .._base_.distillers.logits import kd as distiller
    from .._base_.models.external_paper import mvit_mini_rgb as student
    from .._base_.models.skeleton_paper import stgcnpp_paper as teacher
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
)
