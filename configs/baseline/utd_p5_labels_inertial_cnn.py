"""UTD-MHAD, cross-subject, the labelled 5 % of the clips only: inertial alone."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.utd_p5_labels import *
    from .._base_.models.inertial import inertial_cnn as student
    from .._base_.runtime import *
    from .._base_.schedules.adamw_60e import *

from kdbench.losses import CrossEntropy
from kdbench.models import Distillation

task_loss = dict(type=CrossEntropy, label_smoothing=0.1)
model = dict(type=Distillation, data=data, student=student, task_loss=task_loss)
