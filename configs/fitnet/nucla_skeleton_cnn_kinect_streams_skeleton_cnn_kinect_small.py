"""N-UCLA, train views 1 2, test view 3, all labels: four-stream skeleton CNN as teacher, small skeleton CNN of joints as student, FitNets."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.nucla import *
    from .._base_.distillers.features import fitnet as distiller
    from .._base_.models.skeleton import skeleton_cnn_kinect_small as student
    from .._base_.models.skeleton import skeleton_cnn_kinect_streams as teacher
    from .._base_.runtime import *
    from .._base_.schedules.adamw_60e import *

from kdbench.models import Distillation

model = dict(
    type=Distillation,
    data=data,
    teacher=teacher,
    student=student,
    distiller=distiller,
    distill_weight=10.0,
)
