"""UTD-MHAD, cross-subject, labels of subjects 1 and 3, clips of 5 and 7 without labels: skeleton teacher, inertial student, VPN++.

The weights are the published ones, which were for videos in batches of 16; none was chosen on the validation subject.
"""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.utd_s13 import *
    from .._base_.distillers.stages import vpnpp as distiller
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
)
