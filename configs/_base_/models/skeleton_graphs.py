"""Graph networks and PoseC3D over Kinect joints, small enough for two cores; all read ``skeleton``.

Twenty joints of one person, or, for NTU RGB+D, 25 joints of two.
"""

from kdbench.backbones import AGCN, CTRGCN, STGCN, LateFusion, PoseC3D, STGCNPlusPlus, ViewStudents

_small = dict(
    graph="kinect_v1", persons=1, widths=(32, 32, 64, 64, 128), strides=(1, 1, 2, 1, 2), dropout=0.2
)
_utd = dict(_small, graph="utd_mhad")
_ntu = dict(_small, graph="ntu", persons=2)

stgcn_small = dict(type=STGCN, **_small)
stgcnpp_small = dict(type=STGCNPlusPlus, **_small)
stgcn_small_bone = dict(stgcn_small, streams=("bone",))
stgcn_small_motion = dict(stgcn_small, streams=("motion",))
stgcn_small_bone_motion = dict(stgcn_small, streams=("bone_motion",))
stgcnpp_small_bone = dict(stgcnpp_small, streams=("bone",))
stgcnpp_small_motion = dict(stgcnpp_small, streams=("motion",))
stgcnpp_small_bone_motion = dict(stgcnpp_small, streams=("bone_motion",))

# Four streams that were trained alone, their scores joined as CTR-GCN joins them; a row gives each member's weights
_shares = dict(fusion="logits", shares=(0.6, 0.6, 0.4, 0.4))
stgcn_small_streams = dict(
    type=LateFusion,
    members=[stgcn_small, stgcn_small_bone, stgcn_small_motion, stgcn_small_bone_motion],
    **_shares,
)
stgcnpp_small_streams = dict(
    type=LateFusion,
    members=[stgcnpp_small, stgcnpp_small_bone, stgcnpp_small_motion, stgcnpp_small_bone_motion],
    **_shares,
)

# A student for each training view of N-UCLA
stgcnpp_small_view_students = dict(
    type=ViewStudents,
    network=dict(stgcnpp_small, reads=("view_skeleton",)),
    views=2,
    view_mask="view_shown",
)

agcn_small = dict(type=AGCN, **_small)
ctrgcn_small = dict(type=CTRGCN, **_small)
ctrgcn_kinect = dict(type=CTRGCN, graph="kinect_v1", persons=1)  # as large as published
ctrgcn_small_utd = dict(type=CTRGCN, **_utd)
ctrgcn_small_ntu = dict(type=CTRGCN, **_ntu)
stgcnpp_small_ntu = dict(type=STGCNPlusPlus, **_ntu)
posec3d_small = dict(
    type=PoseC3D, joints=20, width=8, blocks=(1, 1, 1), frames=16, size=28, coordinates="front", dropout=0.2
)
