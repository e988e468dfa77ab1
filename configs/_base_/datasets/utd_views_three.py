"""Virtual views of UTD-MHAD to choose settings on: train 1 3 5, validation 7, sequence labels."""

from mmengine.config import read_base

with read_base():
    from .utd_views import *

protocol = "three-subject"
data.update(num_train=323)
teacher_weights = "work_dirs/baseline/utd_views_three_frame_{part}/seed{seed}/student.safetensors"
train_dataloader.update(sampler=dict(samples_per_epoch=336), dataset=dict(protocol=protocol))
test_dataloader.update(dataset=dict(protocol=protocol))
val_dataloader = dict(
    batch_size=32,
    num_workers=0,
    sampler=test_dataloader["sampler"],
    collate_fn=default_collate,
    dataset=dict(test_dataloader["dataset"], split="val"),
)
val_evaluator = test_evaluator
