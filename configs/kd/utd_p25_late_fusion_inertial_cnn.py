"""UTD-MHAD, cross-subject, 25 % of the labels, the other clips without: skeletons and sensor teach the sensor, KD."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.utd_p25 import *
    from .._base_.distillers.logits import kd as distiller
    from .._base_.models.inertial import inertial_cnn as student
    from .._base_.models.multimodal import late_fusion as teacher
    from .._base_.runtime import *
    from .._base_.schedules.adamw_60e import *

from kdbench.models import Distillation

distiller.update(tau=3.0)
model = dict(
    type=Distillation,
    data=data,
    teacher=teacher,
    student=student,
    distiller=distiller,
    task_weight=0.3,
    distill_weight=0.7,
)
