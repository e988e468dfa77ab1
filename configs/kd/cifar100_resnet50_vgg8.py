"""CIFAR-100: ResNet-50 teacher, VGG-8 student, KD."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.cifar100 import *
    from .._base_.distillers.logits import kd as distiller
    from .._base_.models.cifar import resnet50 as teacher
    from .._base_.models.cifar import vgg8 as student
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
