"""N-UCLA, cross-view (train views 1 2, test view 3), all labels; an epoch is the 1,020 training clips once."""

from torch.utils.data import default_collate

from kdbench.datasets import NUCLA, AugmentSkeleton, EpochSampler, Resample
from kdbench.evaluation import Calibration, Fidelity, TopK

data = dict(
    name="N-UCLA",
    inputs=dict(skeleton=(48, 20, 3)),
    num_classes=10,
    task="single-label",
    num_train=1020,
)
protocol = "cross-view"
labels = "all"
teacher_weights = "work_dirs/baseline/nucla_{part}/seed{seed}/student.safetensors"

train_dataloader = dict(
    batch_size=32,
    num_workers=0,
    drop_last=True,
    sampler=dict(type=EpochSampler, samples_per_epoch=1024),
    collate_fn=default_collate,
    dataset=dict(
        type=NUCLA, split="train", protocol=protocol, transforms=[dict(type=AugmentSkeleton, yaw=0.6)]
    ),
)
test_dataloader = dict(
    batch_size=64,
    num_workers=0,
    sampler=dict(type=EpochSampler, shuffle=False),
    collate_fn=default_collate,
    dataset=dict(
        type=NUCLA,
        split="test",
        protocol=protocol,
        transforms=[dict(type=Resample, modality="skeleton", frames=48)],
    ),
)
test_evaluator = [dict(type=TopK), dict(type=Calibration), dict(type=Fidelity)]
smoke = {
    "train_cfg.max_epochs": 1,
    "train_dataloader.sampler.samples_per_epoch": 64,
    "test_dataloader.sampler.samples_per_epoch": 64,
}
