"""UTD-MHAD, cross-subject (train 1 3 5 7, test 2 4 6 8), all labels.

An epoch is 448 draws (14 steps of 32) whatever the number of labelled clips, so that rows have equal budgets.
"""

from torch.utils.data import default_collate

from kdbench.datasets import (
    UTDMHAD,
    AugmentDepth,
    AugmentInertial,
    AugmentSkeleton,
    EpochSampler,
    Resample,
    SampleDepth,
)
from kdbench.evaluation import Calibration, Fidelity, TopK

data = dict(
    name="UTD-MHAD",
    inputs=dict(skeleton=(48, 20, 3), inertial=(128, 6), depth=(16, 2, 64, 48)),
    num_classes=27,
    task="single-label",
    num_train=431,
)
notice = dict(
    licence="other",
    text="UTD-MHAD (C. Chen, R. Jafari, N. Kehtarnavaz, ICIP 2015) is offered by its authors for research, with citation; "
    "take weights trained on it likewise.",
)
protocol = "cross-subject"
labels = "all"
teacher_weights = "work_dirs/baseline/utd_{part}/seed{seed}/student.safetensors"

train_dataloader = dict(
    batch_size=32,
    num_workers=0,
    drop_last=True,
    sampler=dict(type=EpochSampler, samples_per_epoch=448),
    collate_fn=default_collate,
    dataset=dict(
        type=UTDMHAD,
        split="train",
        protocol=protocol,
        transforms=[dict(type=AugmentSkeleton), dict(type=AugmentInertial), dict(type=AugmentDepth)],
    ),
)
test_dataloader = dict(
    batch_size=64,
    num_workers=0,
    sampler=dict(type=EpochSampler, shuffle=False),
    collate_fn=default_collate,
    dataset=dict(
        type=UTDMHAD,
        split="test",
        protocol=protocol,
        transforms=[
            dict(type=Resample, modality="skeleton", frames=48),
            dict(type=Resample, modality="inertial", frames=128),
            dict(type=SampleDepth),
        ],
    ),
)
test_evaluator = [dict(type=TopK), dict(type=Calibration), dict(type=Fidelity)]
smoke = {
    "train_cfg.max_epochs": 1,
    "train_dataloader.sampler.samples_per_epoch": 64,
    "test_dataloader.sampler.samples_per_epoch": 64,
}
