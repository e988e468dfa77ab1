"""N-UCLA, cross-view, as CTR-GCN reads it; an epoch is the 1,020 training clips five times, in batches of 16.

52 frames drawn with repetition, turns of up to 60 degrees about x and y, joints stretched to fill a box (Chen et al.,
ICCV 2021; config/ucla/default.yaml and the feeder of their code). Ours: clips come in canonical pose, theirs in the
camera's frame about the first spine.
"""

from mmengine.config import read_base

with read_base():
    from .nucla import *

from kdbench.datasets import BoxSkeleton

data.update(inputs=dict(skeleton=(52, 20, 3)))
teacher_weights = "work_dirs/baseline/nucla_published_{part}/seed{seed}/student.safetensors"
train_dataloader.update(
    batch_size=16,
    sampler=dict(samples_per_epoch=5100),
    dataset=dict(transforms=[dict(type=BoxSkeleton)]),
)
test_dataloader.update(dataset=dict(transforms=[dict(type=BoxSkeleton, random=False)]))
