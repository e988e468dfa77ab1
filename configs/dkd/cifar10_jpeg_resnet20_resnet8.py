"""A lossy JPEG copy of CIFAR-10, no number of which is one on CIFAR-10: ResNet-20 teacher, ResNet-8 student, DKD.

The published beta for narrow ResNets, and its warm-up over the same share of training (20 of 240 epochs).
"""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.cifar10_jpeg import *
    from .._base_.distillers.logits import dkd as distiller
    from .._base_.models.cifar import resnet20 as teacher
    from .._base_.models.cifar import resnet8 as student
    from .._base_.runtime import *
    from .._base_.schedules.sgd_6e import *

from kdbench.engine import Ramp
from kdbench.models import Distillation

distiller.update(beta=2.0)
custom_hooks = [dict(type=Ramp, path="model.distill_weight", start=0.0, end=1.0, until=0.5)]
model = dict(
    type=Distillation,
    data=data,
    teacher=teacher,
    student=student,
    distiller=distiller,
    preprocessor=preprocessor,
)
