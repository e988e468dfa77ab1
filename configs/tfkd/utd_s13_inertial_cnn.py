"""UTD-MHAD, cross-subject, labels of subjects 1 and 3, clips of 5 and 7 without labels: inertial student without a teacher, Tf-KD with its virtual teacher."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.utd_s13 import *
    from .._base_.distillers.logits import tfkd as distiller
    from .._base_.models.inertial import inertial_cnn as student
    from .._base_.runtime import *
    from .._base_.schedules.adamw_60e import *

from kdbench.models import Distillation

model = dict(type=Distillation, data=data, student=student, distiller=distiller)
