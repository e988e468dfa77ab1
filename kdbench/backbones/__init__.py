"""Networks, one family a file; none knows anything of distillation."""

from .agcn import AGCN
from .audio import AudioCNN, SpectrogramCNN, SpectrogramMLP
from .blocks import ENCODERS
from .cifar import VGG, MobileNetV1, MobileNetV2, ResNet, ShuffleNetV1, ShuffleNetV2, WideResNet
from .classical import Classical
from .cross_streams import CrossStreams
from .ctrgcn import CTRGCN
from .external import External, ExternalFrames
from .frame_encoders import FrameResNet, FrameViT
from .inertial import InertialCNN, InertialFrames, InertialTransformer
from .multiasl import MultiASL
from .multimodal import LateFusion, Peers, TokenFusion
from .multitrans import MultiTrans
from .multitsf import MultiTSF
from .multiview import MultiView
from .posec3d import PoseC3D
from .sensing import Sensing
from .skeleton import CompactSTGCN, SkeletonCNN
from .stgcn import STGCN, STGCNPlusPlus
from .tsmf import TSMF
from .video import FrameCNN, VideoCNN
from .view_students import ViewStudents

__all__ = [
    "AGCN",
    "CTRGCN",
    "ENCODERS",
    "STGCN",
    "TSMF",
    "VGG",
    "AudioCNN",
    "Classical",
    "CompactSTGCN",
    "CrossStreams",
    "External",
    "ExternalFrames",
    "FrameCNN",
    "FrameResNet",
    "FrameViT",
    "InertialCNN",
    "InertialFrames",
    "InertialTransformer",
    "LateFusion",
    "MobileNetV1",
    "MobileNetV2",
    "MultiASL",
    "MultiTSF",
    "MultiTrans",
    "MultiView",
    "Peers",
    "PoseC3D",
    "ResNet",
    "STGCNPlusPlus",
    "Sensing",
    "ShuffleNetV1",
    "ShuffleNetV2",
    "SkeletonCNN",
    "SpectrogramCNN",
    "SpectrogramMLP",
    "TokenFusion",
    "VideoCNN",
    "ViewStudents",
    "WideResNet",
]
