"""JPEG copy of CIFAR-10: ridge classifier on histograms of gradients and colours."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.cifar10_jpeg import *
    from .._base_.models.classical import hog_ridge as student
    from .._base_.runtime import *
    from .._base_.schedules.one_pass import *

from kdbench.models import Distillation

model = dict(type=Distillation, data=data, student=student, preprocessor=preprocessor)
