"""UTD-MHAD, cross-subject, labels of subjects 1 and 3, the other clips without: skeletons and sensor teach the sensor, KL and pseudo-labels."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.utd_s13 import *
    from .._base_.distillers.crossview import crossview_pseudo as distiller
    from .._base_.models.inertial import inertial_cnn as student
    from .._base_.models.multimodal import late_fusion as teacher
    from .._base_.runtime import *
    from .._base_.schedules.adamw_60e import *

from kdbench.models import Distillation

model = dict(
    type=Distillation,
    data=data,
    teacher=teacher,
    student=student,
    distiller=distiller,
)
