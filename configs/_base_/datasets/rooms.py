"""Rooms, the synthetic home: one person, 3 views, sequence labels; 600 clips to train on, 300 to validate, 300 to test."""

from torch.utils.data import default_collate

from kdbench.datasets import EpochSampler, Rooms, RoomsAugment
from kdbench.evaluation import Fidelity, MeanAP

data = dict(
    name="Rooms",
    inputs=dict(rgb=(3, 8, 3, 32, 32), audio=(3, 8, 8, 32)),
    num_classes=8,
    task="multi-label",
    num_train=600,
    fields=dict(target=(8,), visible=(3, 8)),
)
notice = dict(
    licence="apache-2.0", text="Rooms is synthetic and made by kdbench itself; nobody was recorded."
)
protocol = "one person, 3 views, overlap 0.3"
labels = "sequence"
preprocessor = dict(mean=dict(rgb=(0.45, 0.41, 0.38), audio=-0.265), std=dict(rgb=0.195, audio=0.37))
teacher_weights = "work_dirs/baseline/rooms_frame_{part}/seed{seed}/student.safetensors"
primary_metric = "mAP_C"

train_dataloader = dict(
    batch_size=16,
    num_workers=0,
    drop_last=True,
    sampler=dict(type=EpochSampler),
    collate_fn=default_collate,
    dataset=dict(
        type=Rooms,
        split="train",
        num_clips=600,
        people=1,
        supervision="sequence",
        cache=True,
        transforms=[dict(type=RoomsAugment)],
    ),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=0,
    sampler=dict(type=EpochSampler, shuffle=False),
    collate_fn=default_collate,
    dataset=dict(type=Rooms, split="val", num_clips=300, people=1, cache=True),
)
test_dataloader = dict(val_dataloader, dataset=dict(type=Rooms, split="test", num_clips=300, people=1))
val_evaluator = [dict(type=MeanAP), dict(type=Fidelity)]
test_evaluator = val_evaluator
smoke = {
    "train_cfg.max_epochs": 1,
    "train_dataloader.dataset.num_clips": 32,
    "model.data.num_train": 32,
    "val_dataloader.dataset.num_clips": 16,
    "test_dataloader.dataset.num_clips": 16,
}
