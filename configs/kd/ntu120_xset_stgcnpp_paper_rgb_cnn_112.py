"""NTU RGB+D 120, cross-setup, all labels: ST-GCN++ skeleton teacher, RGB student, KD."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.ntu120_xset import *
    from .._base_.distillers.logits import kd as distiller
    from .._base_.models.skeleton_paper import stgcnpp_paper as teacher
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
