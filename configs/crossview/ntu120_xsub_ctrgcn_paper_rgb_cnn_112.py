"""NTU RGB+D 120, cross-subject, all labels: CTR-GCN skeleton teacher, RGB student, KL and pseudo-labels."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.ntu120_xsub import *
    from .._base_.distillers.crossview import crossview_pseudo as distiller
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
