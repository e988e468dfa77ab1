"""UTD-MHAD, cross-subject, labels of subjects 1 and 3, which are not used, for the teacher alone: skeleton teacher, two inertial students, Thoker and Gall."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.utd_s13 import *
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
