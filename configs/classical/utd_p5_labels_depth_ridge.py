"""UTD-MHAD, the labelled twentieth of the clips only: ridge classifier on pooled depth."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.utd_p5_labels import *
    from .._base_.models.classical import depth_ridge as student
    from .._base_.runtime import *
    from .._base_.schedules.one_pass import *

from kdbench.models import Distillation

model = dict(type=Distillation, data=data, student=student)
