"""NTU RGB+D 60, cross-subject, all labels: Swin-miniature on RGB, alone."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.ntu60_xsub import *
    from .._base_.models.external_paper import swin_mini_rgb as student
    from .._base_.runtime import *
    from .._base_.schedules.adamw_40e import *

from kdbench.models import Distillation

param_scheduler[0].update(eta_max=1e-3)  # transformers
model = dict(type=Distillation, data=data, student=student)
