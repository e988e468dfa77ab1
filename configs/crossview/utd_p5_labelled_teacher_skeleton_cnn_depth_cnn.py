"""UTD-MHAD, labelled teacher, labels of 5 % of the clips, the others without labels: skeleton teacher, depth student, KL and pseudo-labels."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.utd_p5_labelled_teacher import *
    from .._base_.distillers.crossview import crossview_pseudo as distiller
    from .._base_.models.video import depth_cnn as student
    from .._base_.models.skeleton import skeleton_cnn as teacher
    from .._base_.runtime import *
    from .._base_.schedules.adamw_40e import *

from kdbench.models import Distillation

model = dict(
    type=Distillation,
    data=data,
    teacher=teacher,
    student=student,
    distiller=distiller,
)
