"""Rooms like a recorded home: one person, one room, 5 views of which about 2 see her, sequence labels.

A clip lasts 4 seconds, in which one to three actions follow each other: sequence labels say little about a frame. 400
clips to train on.
"""

from mmengine.config import read_base

with read_base():
    from .rooms import *

data.update(
    num_train=400,
    inputs=dict(rgb=(5, 8, 3, 32, 32), audio=(5, 8, 8, 32)),
    fields=dict(target=(8,), visible=(5, 8)),
)
_home = dict(num_views=5, num_rooms=1, fps=2.0, overlap=0.1, cache="disk")
protocol = "one home, 5 views, overlap 0.1"
teacher_weights = "work_dirs/baseline/rooms5_frame_{part}/seed{seed}/student.safetensors"
train_dataloader.update(batch_size=8, dataset=dict(_home, num_clips=400))
val_dataloader.update(dataset=_home)
test_dataloader.update(dataset=_home)
smoke.update(
    {
        "train_dataloader.dataset.cache": True,
        "val_dataloader.dataset.cache": True,
        "test_dataloader.dataset.cache": True,
    }
)
