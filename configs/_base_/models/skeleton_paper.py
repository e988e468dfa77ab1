"""Skeleton networks at their published sizes, for NTU RGB+D: 25 Kinect joints of two persons, or 17 joints in pictures."""

from kdbench.backbones import AGCN, CTRGCN, STGCN, PoseC3D, STGCNPlusPlus

stgcn_paper = dict(type=STGCN, graph="ntu", persons=2, block_dropout=0.5)
stgcnpp_paper = dict(type=STGCNPlusPlus, graph="ntu", persons=2)
agcn_paper = dict(type=AGCN, graph="ntu_agcn", persons=2)
ctrgcn_paper = dict(type=CTRGCN, graph="ntu_agcn", persons=2)
posec3d_paper = dict(type=PoseC3D, joints=17, coordinates="image")
