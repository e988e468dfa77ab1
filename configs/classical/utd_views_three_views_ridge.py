"""UTD-MHAD virtual views, three-subject protocol, sequence labels: one ridge classifier a label on pooled depth of all views."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.utd_views_three import *
    from .._base_.models.classical import views_ridge as student
    from .._base_.runtime import *
    from .._base_.schedules.one_pass import *

from kdbench.models import Distillation

model = dict(type=Distillation, data=data, student=student)
