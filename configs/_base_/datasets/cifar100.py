"""CIFAR-100, all labels: random crop of 32 with 4 black pixels around, mirror; batches of 64.

The protocol of the usual tables (Tian et al., Contrastive Representation Distillation, ICLR 2020): all 50,000 to train
on, the last batch of an epoch has 16, test at the last epoch.
"""

from torch.utils.data import default_collate

from kdbench.datasets import CIFAR100, AugmentImage, EpochSampler
from kdbench.evaluation import Calibration, Fidelity, TopK

data = dict(
    name="CIFAR-100",
    inputs=dict(image=(3, 32, 32)),
    num_classes=100,
    task="single-label",
    num_train=50_000,
)
notice = dict(
    licence="other",
    text="CIFAR-100 has no formal licence; it is for research, with citation of A. Krizhevsky, Learning multiple layers of "
    "features from tiny images, 2009; take weights trained on it likewise.",
)
protocol = "train, test"
labels = "all"
preprocessor = dict(mean=dict(image=(0.5071, 0.4867, 0.4408)), std=dict(image=(0.2675, 0.2565, 0.2761)))
teacher_weights = "work_dirs/baseline/cifar100_{part}/seed{seed}/student.safetensors"

train_dataloader = dict(
    batch_size=64,
    num_workers=0,
    drop_last=False,
    sampler=dict(type=EpochSampler),
    collate_fn=default_collate,
    dataset=dict(type=CIFAR100, split="train", transforms=[dict(type=AugmentImage, padding=4)]),
)
test_dataloader = dict(
    batch_size=256,
    num_workers=0,
    sampler=dict(type=EpochSampler, shuffle=False),
    collate_fn=default_collate,
    dataset=dict(type=CIFAR100, split="test"),
)
test_evaluator = [dict(type=TopK), dict(type=Calibration), dict(type=Fidelity)]
smoke = {
    "train_cfg.max_epochs": 1,
    "train_dataloader.batch_size": 16,
    "train_dataloader.dataset.num_images": 64,
    "model.data.num_train": 64,
    "test_dataloader.batch_size": 16,
    "test_dataloader.dataset.num_images": 32,
}
