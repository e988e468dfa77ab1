"""MM-Office at MultiASL's settings: 4 views, T = 50 at 2.5 a second, 224 x 224, 492 clips to train on, 212 to test."""

from torch.utils.data import default_collate

from kdbench.datasets import EpochSampler, MMOffice
from kdbench.evaluation import Fidelity, MeanAP

data = dict(
    name="MM-Office",
    inputs=dict(rgb=(4, 50, 3, 224, 224), audio=(4, 50, 1024, 128)),
    num_classes=12,
    task="multi-label",
    num_train=492,
    fields=dict(target=(12,), visible=(4, 50)),
)
notice = dict(
    licence="other",
    text="MM-Office (M. Yasuda et al., ICASSP 2022) has a licence of its own, in its archive; take weights trained on it likewise.",
)
protocol = "MultiASL split"
labels = "sequence"
preprocessor = dict(mean=dict(rgb=(0.485, 0.456, 0.406)), std=dict(rgb=(0.229, 0.224, 0.225)))
teacher_weights = "work_dirs/baseline/mm_office_frame_{part}/seed{seed}/student.safetensors"
primary_metric = "mAP_C"

train_dataloader = dict(
    batch_size=12,
    num_workers=4,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type=EpochSampler),
    collate_fn=default_collate,
    dataset=dict(
        type=MMOffice,
        protocol="multiasl",
        split="train",
        supervision="sequence",
        num_frames=50,
        fields=("visible",),
    ),
)
test_dataloader = dict(
    batch_size=12,
    num_workers=4,
    sampler=dict(type=EpochSampler, shuffle=False),
    collate_fn=default_collate,
    dataset=dict(type=MMOffice, protocol="multiasl", split="test", num_frames=50, fields=("visible",)),
)
test_evaluator = [dict(type=MeanAP), dict(type=Fidelity)]
smoke = {
    "train_cfg.max_epochs": 1,
    "train_dataloader.batch_size": 2,
    "train_dataloader.sampler.samples_per_epoch": 4,
    "test_dataloader.batch_size": 2,
    "test_dataloader.sampler.samples_per_epoch": 4,
}
