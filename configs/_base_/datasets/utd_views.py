"""Virtual views of UTD-MHAD, cross-subject (train 1 3 5 7, test 2 4 6 8): 3 cameras and a sensor, sequence labels."""

from torch.utils.data import default_collate

from kdbench.datasets import DisturbInertial, EpochSampler, ScaleCloseness, UTDVirtualViews
from kdbench.evaluation import Fidelity, MeanAP

data = dict(
    name="UTD-MHAD virtual views",
    inputs=dict(depth=(3, 24, 1, 48, 36), inertial=(24, 24, 6)),
    num_classes=27,
    task="multi-label",
    num_train=431,
    fields=dict(target=(27,), visible=(3, 24)),
)
notice = dict(
    licence="other",
    text="UTD-MHAD (C. Chen, R. Jafari, N. Kehtarnavaz, ICIP 2015) is offered by its authors for research, with citation; "
    "take weights trained on it likewise.",
)
protocol = "cross-subject"
labels = "sequence"
sequences = "ee87f68b99ae903e14679a8340ea51e8a03044d2fc2af95a7a59122c21a9778a"
teacher_weights = "work_dirs/baseline/utd_views_frame_{part}/seed{seed}/student.safetensors"
primary_metric = "mAP_C"

train_dataloader = dict(
    batch_size=16,
    num_workers=0,
    drop_last=True,
    sampler=dict(type=EpochSampler, samples_per_epoch=432),
    collate_fn=default_collate,
    dataset=dict(
        type=UTDVirtualViews,
        split="train",
        protocol=protocol,
        supervision="sequence",
        vary=True,
        sequences=sequences,
        transforms=[dict(type=ScaleCloseness), dict(type=DisturbInertial)],
    ),
)
test_dataloader = dict(
    batch_size=32,
    num_workers=0,
    sampler=dict(type=EpochSampler, shuffle=False),
    collate_fn=default_collate,
    dataset=dict(type=UTDVirtualViews, split="test", protocol=protocol, sequences=sequences),
)
test_evaluator = [dict(type=MeanAP), dict(type=Fidelity)]
smoke = {
    "train_cfg.max_epochs": 1,
    "train_dataloader.sampler.samples_per_epoch": 32,
    "test_dataloader.sampler.samples_per_epoch": 32,
}
