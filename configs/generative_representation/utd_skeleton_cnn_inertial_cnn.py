"""UTD-MHAD, cross-subject, all labels: skeleton teacher, inertial student, generative feature distillation, its first phase.

The first of two rows, 20 of 60 epochs: the teacher's attention and generator; the student learns nothing.
"""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.utd import *
    from .._base_.distillers.stages import generative_representation as distiller
    from .._base_.models.inertial import inertial_cnn as student
    from .._base_.models.skeleton import skeleton_cnn as teacher
    from .._base_.runtime import *
    from .._base_.schedules.adamw_20e import *

from kdbench.engine import Ramp
from kdbench.models import Distillation

custom_hooks = [dict(type=Ramp, path="model.distiller.rebuilding", start=0.0, end=0.5, until=20)]
model = dict(type=Distillation, data=data, teacher=teacher, student=student, distiller=distiller)
