"""Data sets: clips by index, each a pure function of (seed, epoch, index)."""

from .base import ClipDataset, Draw
from .images import CIFAR10, CIFAR10JPEG, CIFAR100, ImageFolder, TinyImageNet
from .mm_office import MMOffice
from .multi_view_videos import MultiViewVideos
from .multisensor_home import MultiSensorHome
from .ntu import NTU, NTUTakes
from .nucla import NUCLA
from .rooms import Rooms, RoomsAugment
from .rooms_files import RoomsFiles
from .sampling import EpochSampler
from .transforms import (
    AugmentDepth,
    AugmentImage,
    AugmentInertial,
    AugmentSkeleton,
    BoxSkeleton,
    CropFrames,
    DisturbInertial,
    RandAugment,
    Resample,
    SampleDepth,
    ScaleCloseness,
    TurnSkeleton,
    UniformFrames,
)
from .utd_mhad import UTDMHAD
from .utd_virtual_views import UTDVirtualViews

__all__ = [
    "CIFAR10",
    "CIFAR10JPEG",
    "CIFAR100",
    "NTU",
    "NUCLA",
    "UTDMHAD",
    "AugmentDepth",
    "AugmentImage",
    "AugmentInertial",
    "AugmentSkeleton",
    "BoxSkeleton",
    "ClipDataset",
    "CropFrames",
    "DisturbInertial",
    "Draw",
    "EpochSampler",
    "ImageFolder",
    "MMOffice",
    "MultiSensorHome",
    "MultiViewVideos",
    "NTUTakes",
    "RandAugment",
    "Resample",
    "Rooms",
    "RoomsAugment",
    "RoomsFiles",
    "SampleDepth",
    "ScaleCloseness",
    "TinyImageNet",
    "TurnSkeleton",
    "UTDVirtualViews",
    "UniformFrames",
]
