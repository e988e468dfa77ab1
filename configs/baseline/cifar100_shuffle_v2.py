"""CIFAR-100: ShuffleNetV2 alone."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.cifar100 import *
    from .._base_.models.cifar import shuffle_v2 as student
    from .._base_.runtime import *
    from .._base_.schedules.sgd_240e_light import *

from kdbench.models import Distillation

model = dict(type=Distillation, data=data, student=student, preprocessor=preprocessor)
