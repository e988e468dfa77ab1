"""Networks, one family a file; none knows anything of distillation."""

from .audio import AudioCNN, SpectrogramCNN
from .blocks import ENCODERS
from .cifar import VGG, MobileNetV1, MobileNetV2, ResNet, ShuffleNetV1, ShuffleNetV2, WideResNet
from .inertial import InertialCNN, InertialTransformer
from .multimodal import LateFusion, Peers, TokenFusion
from .multiview import MultiView
from .skeleton import CompactSTGCN, SkeletonCNN
from .video import FrameCNN, VideoCNN

__all__ = [
    "ENCODERS",
    "VGG",
    "AudioCNN",
    "CompactSTGCN",
    "FrameCNN",
    "InertialCNN",
    "InertialTransformer",
    "LateFusion",
    "MobileNetV1",
    "MobileNetV2",
    "MultiView",
    "Peers",
    "ResNet",
    "ShuffleNetV1",
    "ShuffleNetV2",
    "SkeletonCNN",
    "SpectrogramCNN",
    "TokenFusion",
    "VideoCNN",
    "WideResNet",
]
