"""CIFAR-10, all labels; crop, mirror, batches and budget as in cifar100."""

from mmengine.config import read_base

with read_base():
    from .cifar100 import *

from kdbench.datasets import CIFAR10

data.update(name="CIFAR-10", num_classes=10)
notice = dict(
    licence="other",
    text="CIFAR-10 has no formal licence; it is for research, with citation of A. Krizhevsky, Learning multiple layers of "
    "features from tiny images, 2009; take weights trained on it likewise.",
)
preprocessor = dict(mean=dict(image=(0.4914, 0.4822, 0.4465)), std=dict(image=(0.2470, 0.2435, 0.2616)))
teacher_weights = "work_dirs/baseline/cifar10_{part}/seed{seed}/student.safetensors"
train_dataloader.update(dataset=dict(type=CIFAR10))
test_dataloader.update(dataset=dict(type=CIFAR10))
