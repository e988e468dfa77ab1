"""Rooms in files, read as MultiSensor-Home is: two people, 3 views, sequence labels; 400 clips to train on, 200 to test."""

from torch.utils.data import default_collate

from kdbench.datasets import EpochSampler, RoomsFiles
from kdbench.evaluation import Fidelity, MeanAP

data = dict(
    name="Rooms in files",
    inputs=dict(rgb=(3, 8, 3, 32, 32), audio=(3, 8, 8, 32)),
    num_classes=8,
    task="multi-label",
    num_train=400,
    fields=dict(target=(8,), visible=(3, 8)),
)
notice = dict(
    licence="apache-2.0", text="Rooms is synthetic and made by kdbench itself; nobody was recorded."
)
protocol = "two people, 3 views, overlap 0.3, from mp4"
labels = "sequence"
preprocessor = dict(mean=dict(rgb=(0.438, 0.396, 0.365), audio=0.27), std=dict(rgb=0.172, audio=0.28))
teacher_weights = "work_dirs/baseline/rooms_files_frame_{part}/seed{seed}/student.safetensors"
primary_metric = "mAP_C"

_sizes = dict(num_frames=8, fps=4.0, frame_size=32, fields=("visible",))
_log_mel = dict(hops=8, mel_bins=32, rate=8000, window_ms=50.0, hop_ms=28.0)

train_dataloader = dict(
    batch_size=16,
    num_workers=0,
    drop_last=True,
    sampler=dict(type=EpochSampler),
    collate_fn=default_collate,
    dataset=dict(type=RoomsFiles, split="train", supervision="sequence", log_mel=_log_mel, **_sizes),
)
test_dataloader = dict(
    batch_size=32,
    num_workers=0,
    sampler=dict(type=EpochSampler, shuffle=False),
    collate_fn=default_collate,
    dataset=dict(type=RoomsFiles, split="test", supervision="frame", log_mel=_log_mel, **_sizes),
)
test_evaluator = [dict(type=MeanAP), dict(type=Fidelity)]
smoke = {
    "train_cfg.max_epochs": 1,
    "train_dataloader.batch_size": 4,
    "train_dataloader.sampler.samples_per_epoch": 8,
    "test_dataloader.sampler.samples_per_epoch": 8,
}
