"""Virtual views of UTD-MHAD, sequence labels: views fused early, depth, begun with the teacher's frame encoder, alone."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.utd_views import *
    from .._base_.models.utd_views import early_d_start as student
    from .._base_.runtime import *
    from .._base_.schedules.adamw_24e import *

from kdbench.losses import BinaryCrossEntropy
from kdbench.models import Distillation

task_loss = dict(type=BinaryCrossEntropy, scale=5.0)
model = dict(type=Distillation, data=data, student=student, task_loss=task_loss)
