"""CIFAR-100, all labels, with a second view of each training picture: RandAugment(2, 10) on the same crop."""

from mmengine.config import read_base

with read_base():
    from .cifar100 import *

from kdbench.datasets import RandAugment

data.update(inputs=dict(image_strong=(3, 32, 32)))
for statistics in preprocessor.values():
    statistics.update(image_strong=statistics["image"])
train_dataloader["dataset"]["transforms"].append(dict(type=RandAugment, into="image_strong"))
