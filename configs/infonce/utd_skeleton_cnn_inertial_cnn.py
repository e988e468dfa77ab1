"""UTD-MHAD, cross-subject, all labels: skeleton teacher, inertial student, InfoNCE.

The weight is 1000 times the published one (see docs/benchmark_protocol.md).
"""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.utd import *
    from .._base_.distillers.features import infonce as distiller
    from .._base_.models.inertial import inertial_cnn as student
    from .._base_.models.skeleton import skeleton_cnn as teacher
    from .._base_.runtime import *
    from .._base_.schedules.adamw_60e import *

from kdbench.models import Distillation

model = dict(
    type=Distillation,
    data=data,
    teacher=teacher,
    student=student,
    distiller=distiller,
    distill_weight=1000.0,
)
