"""Clip transforms: pure functions of a clip and a random generator, one module a modality."""

from .base import ClipTransform
from .depth import AugmentDepth, SampleDepth, ScaleCloseness
from .image import AugmentImage
from .inertial import AugmentInertial, DisturbInertial
from .persons import CropFrames, TurnSkeleton, UniformFrames
from .rand_augment import RandAugment
from .skeleton import AugmentSkeleton, BoxSkeleton
from .time import Resample

__all__ = [
    "AugmentDepth",
    "AugmentImage",
    "AugmentInertial",
    "AugmentSkeleton",
    "BoxSkeleton",
    "ClipTransform",
    "CropFrames",
    "DisturbInertial",
    "RandAugment",
    "Resample",
    "SampleDepth",
    "ScaleCloseness",
    "TurnSkeleton",
    "UniformFrames",
]
