"""A lossy JPEG copy of CIFAR-10 (no number is one on CIFAR-10), two views: ResNet-20 teacher, ResNet-8 student, MLKD."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.cifar10_jpeg_strong import *
    from .._base_.distillers.logits import mlkd_strong as distiller
    from .._base_.models.cifar import resnet20 as teacher
    from .._base_.models.cifar import resnet8 as student
    from .._base_.runtime import *
    from .._base_.schedules.sgd_6e import *

from kdbench.models import Distillation

model = dict(
    type=Distillation,
    data=data,
    teacher=teacher,
    student=student,
    distiller=distiller,
    preprocessor=preprocessor,
)
