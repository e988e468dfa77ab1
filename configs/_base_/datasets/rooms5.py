"""Rooms with partial overlap: one person, 5 views of which about 2 see her, sequence labels; 400 clips to train on."""

from mmengine.config import read_base

with read_base():
    from .rooms import *

data.update(
    num_train=400,
    inputs=dict(rgb=(5, 8, 3, 32, 32), audio=(5, 8, 8, 32)),
    fields=dict(target=(8,), visible=(5, 8)),
)
protocol = "one person, 5 views, overlap 0.1"
teacher_weights = "work_dirs/baseline/rooms5_frame_{part}/seed{seed}/student.safetensors"
train_dataloader.update(batch_size=8, dataset=dict(num_clips=400, num_views=5, overlap=0.1, cache="disk"))
val_dataloader.update(dataset=dict(num_views=5, overlap=0.1, cache="disk"))
test_dataloader.update(dataset=dict(num_views=5, overlap=0.1, cache="disk"))
smoke.update(
    {
        "train_dataloader.dataset.cache": True,
        "val_dataloader.dataset.cache": True,
        "test_dataloader.dataset.cache": True,
    }
)
