"""UTD-MHAD, cross-subject, all labels, with depth and skeleton that stay in place: a joint is where its picture is.

No turns, no shifts, no stretches and no warps of time, which are drawn for each modality by itself elsewhere; joints keep
their noise, a small part of a pixel.
"""

from mmengine.config import read_base

with read_base():
    from .utd import *

teacher_weights = "work_dirs/baseline/utd_{part}/seed{seed}/student.safetensors"
train_dataloader.update(
    dataset=dict(
        depth_variants=1,
        transforms=[
            dict(type=AugmentSkeleton, min_crop=1.0, warp=0.0, yaw=0.0, tilt=0.0, scale=0.0, offset=0.0),
            dict(type=AugmentInertial, min_crop=1.0, warp=0.0),
            dict(type=AugmentDepth, shift=0),
        ],
    )
)
