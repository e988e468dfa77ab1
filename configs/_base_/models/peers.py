"""Networks side by side that teach each other. Parameters are those of all.

DML tests the first, ThokerGall the first or all, CrossView the mean of all.
"""

from kdbench.backbones import InertialCNN, Peers, ResNet, VideoCNN

_inertial = dict(type=InertialCNN, width=48)
_depth = dict(type=VideoCNN, modality="depth", grid=(4, 3))
_depth_small = dict(_depth, shrink=2, frame_widths=(8, 16, 32), width=64)
_resnet8 = dict(type=ResNet, blocks=(1, 1, 1))

inertial_cnn_peers = dict(type=Peers, networks=[_inertial, _inertial])  # 596 k parameters
depth_cnn_peers = dict(type=Peers, networks=[_depth, _depth])  # 760 k parameters
depth_cnn_small_peers = dict(type=Peers, networks=[_depth_small, _depth_small])  # 176 k parameters
resnet8_peers = dict(type=Peers, networks=[_resnet8, _resnet8])  # 156 k parameters with 10 classes
