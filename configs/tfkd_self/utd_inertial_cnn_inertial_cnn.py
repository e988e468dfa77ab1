"""UTD-MHAD, cross-subject, all labels: the lone inertial student teaches its like, Tf-KD self.

Tf-KD self (Yuan et al., CVPR 2020) is KD from a trained copy of the student; weights and temperature are KD's.
"""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.utd import *
    from .._base_.distillers.logits import kd as distiller
    from .._base_.models.inertial import inertial_cnn as student
    from .._base_.models.inertial import inertial_cnn as teacher
    from .._base_.runtime import *
    from .._base_.schedules.adamw_60e import *

from kdbench.models import Distillation

model = dict(type=Distillation, data=data, teacher=teacher, student=student, distiller=distiller)
