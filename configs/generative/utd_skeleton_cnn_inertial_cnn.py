"""UTD-MHAD, cross-subject, all labels: skeleton teacher, inertial student, generative feature distillation.

The second of two rows: 40 epochs for a fresh student, after the 20 of generative_representation/. The weights are the
published ones; none was chosen on the validation subject.
"""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.utd import *
    from .._base_.distillers.stages import generative_distillation as distiller
    from .._base_.models.inertial import inertial_cnn as student
    from .._base_.models.skeleton import skeleton_cnn as teacher
    from .._base_.runtime import *
    from .._base_.schedules.adamw_40e import *

from kdbench.engine import Ramp
from kdbench.models import Distillation

starts_from = "generative_representation/utd_skeleton_cnn_inertial_cnn"
custom_hooks = [dict(type=Ramp, path="model.distiller.rebuilding", start=0.0, end=0.5, until=20)]
model = dict(type=Distillation, data=data, teacher=teacher, student=student, distiller=distiller)
