"""N-UCLA as CTR-GCN reads it, to choose settings on: train view 1, validation view 2, test view 3."""

from mmengine.config import read_base

with read_base():
    from .nucla_published import *

protocol = "single-view"
data.update(num_train=516)
teacher_weights = "work_dirs/baseline/nucla_published_single_{part}/seed{seed}/student.safetensors"
train_dataloader.update(sampler=dict(samples_per_epoch=2580), dataset=dict(protocol=protocol))
test_dataloader.update(dataset=dict(protocol=protocol))
val_dataloader = dict(
    batch_size=64,
    num_workers=0,
    sampler=test_dataloader["sampler"],
    collate_fn=default_collate,
    dataset=dict(test_dataloader["dataset"], split="val"),
)
val_evaluator = test_evaluator
