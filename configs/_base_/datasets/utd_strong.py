"""UTD-MHAD, cross-subject, all labels, with a second, stronger augmentation of each training clip.

The strong view augments the clip of the other one again, about twice as far; skeleton and inertial clips have one.
"""

from mmengine.config import read_base

with read_base():
    from .utd import *

data.update(inputs=dict(skeleton_strong=(48, 20, 3), inertial_strong=(128, 6)))
_skeleton = dict(
    type=AugmentSkeleton,
    into="skeleton_strong",
    warp=0.3,
    yaw=1.0,
    tilt=0.3,
    scale=0.3,
    offset=0.04,
    noise=0.01,
)
_inertial = dict(
    type=AugmentInertial,
    into="inertial_strong",
    warp=0.3,
    angle=0.6,
    scale=0.4,
    channel_scale=0.2,
    noise=0.06,
)
train_dataloader.update(
    dataset=dict(transforms=[*train_dataloader["dataset"]["transforms"], _skeleton, _inertial])
)
