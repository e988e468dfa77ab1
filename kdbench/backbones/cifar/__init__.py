"""Image networks of the CIFAR-100 distillation tables, at the sizes that the tables use."""

from .mobilenet import MobileNetV1, MobileNetV2
from .resnet import ResNet
from .shufflenet import ShuffleNetV1, ShuffleNetV2
from .vgg import VGG
from .wrn import WideResNet

__all__ = [
    "VGG",
    "MobileNetV1",
    "MobileNetV2",
    "ResNet",
    "ShuffleNetV1",
    "ShuffleNetV2",
    "WideResNet",
]
