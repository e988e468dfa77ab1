"""Graph networks and PoseC3D over 20 Kinect joints of one person, small enough for two cores; all read ``skeleton``."""

from kdbench.backbones import AGCN, CTRGCN, STGCN, PoseC3D, STGCNPlusPlus

_small = dict(
    graph="kinect_v1", persons=1, widths=(32, 32, 64, 64, 128), strides=(1, 1, 2, 1, 2), dropout=0.2
)
_utd = dict(_small, graph="utd_mhad")

stgcn_small = dict(type=STGCN, **_small)
stgcnpp_small = dict(type=STGCNPlusPlus, **_small)
agcn_small = dict(type=AGCN, **_small)
ctrgcn_small = dict(type=CTRGCN, **_small)
ctrgcn_small_utd = dict(type=CTRGCN, **_utd)
posec3d_small = dict(
    type=PoseC3D, joints=20, width=8, blocks=(1, 1, 1), frames=16, size=28, coordinates="front", dropout=0.2
)
