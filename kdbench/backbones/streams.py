"""Skeleton streams: joint, bone, motion and bone motion from joint positions."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ..registry import near

STREAMS = ("joint", "bone", "motion", "bone_motion")
MOTION_SCALE = 4.0  # brings the step between two of some 50 frames to the size of a bone


def check_streams(names: Sequence[str]) -> tuple[str, ...]:
    """``names`` as a tuple, or a ``ValueError`` that says which streams there are."""
    unknown = [name for name in names if name not in STREAMS]
    if unknown or not names:
        wanted = unknown[0] if unknown else ""
        raise ValueError(f"no skeleton stream is called '{wanted}'; {near(wanted, STREAMS)}")
    return tuple(names)


def bones(position: Tensor, parents: Tensor) -> Tensor:
    """Joint less parent; zero at the root. ``position`` is ``(B, T, J, 3)``, ``parents`` ``(J,)`` (``bones_of``)."""
    return position - position.index_select(2, parents)


def motions(position: Tensor) -> Tensor:
    """Four times (next frame less this one), zero in the last frame; ``(B, T, J, 3)``."""
    return MOTION_SCALE * F.pad(position[:, 1:] - position[:, :-1], (0, 0, 0, 0, 0, 1))


def stack_streams(position: Tensor, parents: Tensor, names: Sequence[str]) -> Tensor:
    """The named streams side by side: ``(B, T, J, 3)`` to ``(B, T, J, 3 * len(names))``."""
    bone = bones(position, parents) if {"bone", "bone_motion"} & set(names) else position
    made = {
        "joint": lambda: position,
        "bone": lambda: bone,
        "motion": lambda: motions(position),
        "bone_motion": lambda: motions(bone),
    }
    return torch.cat([made[name]() for name in names], -1)
