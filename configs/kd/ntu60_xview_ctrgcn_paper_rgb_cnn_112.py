"""NTU RGB+D 60, cross-view, all labels: CTR-GCN skeleton teacher, RGB student, KD."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.ntu60_xview import *
    from .._base_.distillers.logits import kd as distiller
    from .._base_.models.skeleton_paper import ctrgcn_paper as teacher
    from .._base_.models.video import rgb_cnn_112 as student
    from .._base_.runtime import *
    from .._base_.schedules.adamw_40e import *

from kdbench.models import Distillation

model = dict(
    type=Distillation,
    data=data,
    teacher=teacher,
    student=student,
    distiller=distiller,
)
