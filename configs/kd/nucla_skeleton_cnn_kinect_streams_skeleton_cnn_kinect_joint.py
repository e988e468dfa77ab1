"""N-UCLA, train views 1 2, test view 3, all labels: four-stream skeleton CNN as teacher, skeleton CNN of joints, as large as one stream, as student, KD."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.nucla import *
    from .._base_.distillers.logits import kd as distiller
    from .._base_.models.skeleton import skeleton_cnn_kinect_joint as student
    from .._base_.models.skeleton import skeleton_cnn_kinect_streams as teacher
    from .._base_.runtime import *
    from .._base_.schedules.adamw_60e import *

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
