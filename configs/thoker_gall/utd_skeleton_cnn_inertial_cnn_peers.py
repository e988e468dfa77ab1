"""UTD-MHAD, cross-subject, all labels, which are not used: skeleton teacher, two inertial students, Thoker and Gall."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.utd import *
    from .._base_.distillers.logits import thoker_gall as distiller
    from .._base_.models.peers import inertial_cnn_peers as student
    from .._base_.models.skeleton import skeleton_cnn as teacher
    from .._base_.runtime import *
    from .._base_.schedules.adamw_60e import *

from kdbench.models import Distillation

lone_student = "inertial_cnn"
model = dict(
    type=Distillation, data=data, teacher=teacher, student=student, distiller=distiller, task_weight=0.0
)
