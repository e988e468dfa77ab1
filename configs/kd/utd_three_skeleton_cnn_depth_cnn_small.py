"""UTD-MHAD, three-subject protocol: skeleton teacher, small depth student, KD. Its weights of methods are chosen with it."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.utd_three import *
    from .._base_.distillers.logits import kd as distiller
    from .._base_.models.skeleton import skeleton_cnn as teacher
    from .._base_.models.video import depth_cnn_small as student
    from .._base_.runtime import *
    from .._base_.schedules.adamw_40e import *

from kdbench.models import Distillation

distiller.update(tau=3.0)
model = dict(
    type=Distillation,
    data=data,
    teacher=teacher,
    student=student,
    distiller=distiller,
    task_weight=0.3,
    distill_weight=0.7,
)
