"""UTD-MHAD, cross-subject, all labels: two inertial students that teach each other, DML."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.utd import *
    from .._base_.distillers.logits import dml as distiller
    from .._base_.models.peers import inertial_cnn_peers as student
    from .._base_.runtime import *
    from .._base_.schedules.adamw_60e import *

from kdbench.models import Distillation

lone_student = "inertial_cnn"
model = dict(type=Distillation, data=data, student=student, distiller=distiller)
