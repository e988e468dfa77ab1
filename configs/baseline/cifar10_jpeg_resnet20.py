"""A lossy JPEG copy of CIFAR-10, no number of which is one on CIFAR-10: ResNet-20 alone."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.cifar10_jpeg import *
    from .._base_.models.cifar import resnet20 as student
    from .._base_.runtime import *
    from .._base_.schedules.sgd_6e import *

from kdbench.models import Distillation

model = dict(type=Distillation, data=data, student=student, preprocessor=preprocessor)
