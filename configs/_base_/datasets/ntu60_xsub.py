"""NTU RGB+D 60, cross-subject, all labels: skeletons of up to two persons, 100 frames; RGB videos, 16 frames of 112 x 112.

Frames are chosen by uniform sampling. What no network of a row reads is not decoded; videos lie in ``ntu/rgb``.
"""

from torch.utils.data import default_collate

from kdbench.datasets import NTU, AugmentImage, EpochSampler, TurnSkeleton, UniformFrames
from kdbench.evaluation import Calibration, Fidelity, TopK

data = dict(
    name="NTU RGB+D 60",
    inputs=dict(skeleton=(2, 100, 25, 3), rgb=(16, 3, 112, 112)),
    num_classes=60,
    task="single-label",
    num_train=40091,
)
protocol = "xsub-60"
# Arguments of kdbench.datasets.ntu.videos.Videos; root None is ntu/rgb
rgb = dict(root=None, frames=16, size=112, every=1, cache=False, cache_dir=None)
labels = "all"
teacher_weights = "work_dirs/baseline/ntu60_xsub_{part}/seed{seed}/student.safetensors"

train_dataloader = dict(
    batch_size=128,
    num_workers=2,
    drop_last=True,
    sampler=dict(type=EpochSampler),
    collate_fn=default_collate,
    dataset=dict(
        type=NTU,
        split="train",
        protocol=protocol,
        rgb=rgb,
        transforms=[
            dict(type=UniformFrames),
            dict(type=TurnSkeleton),
            dict(type=AugmentImage, modality="rgb", padding=12),
        ],
    ),
)
test_dataloader = dict(
    batch_size=128,
    num_workers=2,
    sampler=dict(type=EpochSampler, shuffle=False),
    collate_fn=default_collate,
    dataset=dict(
        type=NTU,
        split="test",
        protocol=protocol,
        rgb=rgb,
        transforms=[dict(type=UniformFrames, random=False)],
    ),
)
test_evaluator = [dict(type=TopK), dict(type=Calibration), dict(type=Fidelity)]
smoke = {
    "train_cfg.max_epochs": 1,
    "train_dataloader.batch_size": 4,
    "train_dataloader.sampler.samples_per_epoch": 8,
    "test_dataloader.sampler.samples_per_epoch": 8,
}
