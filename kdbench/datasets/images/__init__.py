"""Image data sets: every picture in memory, decoded once."""

from .cifar import CIFAR10, CIFAR100
from .cifar_jpeg import CIFAR10JPEG
from .folder import ImageFolder
from .tiny_imagenet import TinyImageNet

__all__ = ["CIFAR10", "CIFAR10JPEG", "CIFAR100", "ImageFolder", "TinyImageNet"]
