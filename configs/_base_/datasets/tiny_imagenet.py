"""Tiny-ImageNet, all labels, tested on its validation split: random crop of 64 with 8 black pixels around, mirror."""

from mmengine.config import read_base

with read_base():
    from .cifar100 import *

from kdbench.datasets import TinyImageNet

data.update(name="Tiny-ImageNet", inputs=dict(image=(3, 64, 64)), num_classes=200, num_train=100_000)
notice = dict(
    licence="other",
    text="Tiny-ImageNet is made of pictures of ImageNet, whose terms of access allow research only; take weights trained on "
    "it likewise.",
)
protocol = "train, val"
preprocessor = dict(mean=dict(image=(0.4802, 0.4481, 0.3975)), std=dict(image=(0.2770, 0.2691, 0.2821)))
teacher_weights = "work_dirs/baseline/tiny_imagenet_{part}/seed{seed}/student.safetensors"
train_dataloader.update(dataset=dict(type=TinyImageNet, transforms=[dict(type=AugmentImage, padding=8)]))
test_dataloader.update(dataset=dict(type=TinyImageNet, split="val"))
