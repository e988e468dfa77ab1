"""UTD-MHAD, cross-subject, all labels: skeleton teacher, inertial student, AB.

The second of two rows: 40 epochs with labels only after the 20 of ab_init. The teacher is only compared with.
"""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.utd import *
    from .._base_.models.inertial import inertial_cnn as student
    from .._base_.models.skeleton import skeleton_cnn as teacher
    from .._base_.runtime import *
    from .._base_.schedules.adamw_40e import *

from kdbench.models import Distillation

starts_from = "ab_init/utd_skeleton_cnn_inertial_cnn"
model = dict(type=Distillation, data=data, teacher=teacher, student=student, predict_teacher=True)
