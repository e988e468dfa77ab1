"""CIFAR-100, two views of each picture: ResNet-32x4 teacher, ResNet-8x4 student, MLKD."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.cifar100_strong import *
    from .._base_.distillers.logits import mlkd_strong as distiller
    from .._base_.models.cifar import resnet32x4 as teacher
    from .._base_.models.cifar import resnet8x4 as student
    from .._base_.runtime import *
    from .._base_.schedules.sgd_240e import *

from kdbench.models import Distillation

model = dict(
    type=Distillation,
    data=data,
    teacher=teacher,
    student=student,
    distiller=distiller,
    preprocessor=preprocessor,
)
