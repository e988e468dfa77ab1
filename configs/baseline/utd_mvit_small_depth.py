"""UTD-MHAD, cross-subject, all labels: depth alone, MViT-S; wants a GPU."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.utd import *
    from .._base_.models.external_paper import mvit_small_depth as student
    from .._base_.runtime import *
    from .._base_.schedules.adamw_40e import *

from kdbench.losses import CrossEntropy
from kdbench.models import Distillation

param_scheduler[0].update(eta_max=1e-3)  # transformers
task_loss = dict(type=CrossEntropy, label_smoothing=0.1)
model = dict(type=Distillation, data=data, student=student, task_loss=task_loss)
