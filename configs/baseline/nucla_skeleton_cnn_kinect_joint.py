"""N-UCLA, train views 1 2, test view 3, all labels: skeleton CNN, joints, alone."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.nucla import *
    from .._base_.models.skeleton import skeleton_cnn_kinect_joint as student
    from .._base_.runtime import *
    from .._base_.schedules.adamw_60e import *

from kdbench.models import Distillation

model = dict(type=Distillation, data=data, student=student)
