"""CIFAR-100: ResNet-32x4 teacher, ResNet-8x4 student, DKD with the published warm-up of 20 epochs."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.cifar100 import *
    from .._base_.distillers.logits import dkd as distiller
    from .._base_.models.cifar import resnet32x4 as teacher
    from .._base_.models.cifar import resnet8x4 as student
    from .._base_.runtime import *
    from .._base_.schedules.sgd_240e import *

from kdbench.engine import Ramp
from kdbench.models import Distillation

distiller.update(beta=8.0)
custom_hooks = [dict(type=Ramp, path="model.distill_weight", start=0.0, end=1.0, until=20)]
model = dict(
    type=Distillation,
    data=data,
    teacher=teacher,
    student=student,
    distiller=distiller,
    preprocessor=preprocessor,
)
