"""UTD-MHAD, three-subject protocol, all labels: a small network for depth alone."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.utd_three import *
    from .._base_.models.video import depth_cnn_small as student
    from .._base_.runtime import *
    from .._base_.schedules.adamw_40e import *

from kdbench.losses import CrossEntropy
from kdbench.models import Distillation

task_loss = dict(type=CrossEntropy, label_smoothing=0.1)
model = dict(type=Distillation, data=data, student=student, task_loss=task_loss)
