"""A lossy JPEG copy of CIFAR-10, all labels: not the published pictures, and no number on it is one on CIFAR-10."""

from mmengine.config import read_base

with read_base():
    from .cifar10 import *

from kdbench.datasets import CIFAR10JPEG

data.update(name="CIFAR-10 (JPEG copy)")
notice = dict(
    licence="other",
    text="This lossy JPEG copy of CIFAR-10 has no formal licence; it is for research, with citation of A. Krizhevsky, Learning multiple layers of "
    "features from tiny images, 2009; take weights trained on it likewise.",
)
preprocessor = dict(mean=dict(image=(0.4913, 0.4821, 0.4465)), std=dict(image=(0.2452, 0.2428, 0.2606)))
teacher_weights = "work_dirs/baseline/cifar10_jpeg_{part}/seed{seed}/student.safetensors"
train_dataloader.update(dataset=dict(type=CIFAR10JPEG))
test_dataloader.update(dataset=dict(type=CIFAR10JPEG))
