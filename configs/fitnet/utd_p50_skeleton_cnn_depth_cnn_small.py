"""UTD-MHAD, cross-subject, 50 % of the labels, the other clips without: skeleton teacher, small depth student, FitNets."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.utd_p50 import *
    from .._base_.distillers.features import fitnet as distiller
    from .._base_.models.skeleton import skeleton_cnn as teacher
    from .._base_.models.video import depth_cnn_small as student
    from .._base_.runtime import *
    from .._base_.schedules.adamw_40e import *

from kdbench.models import Distillation

model = dict(
    type=Distillation,
    data=data,
    teacher=teacher,
    student=student,
    distiller=distiller,
    distill_weight=100.0,
)
