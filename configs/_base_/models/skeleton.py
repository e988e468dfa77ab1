"""Skeleton networks; all read ``skeleton``, students a view ``view_skeleton``."""

from kdbench.backbones import CompactSTGCN, LateFusion, SkeletonCNN, ViewStudents

# 824 k parameters with three streams, 812 k with one
skeleton_cnn = dict(type=SkeletonCNN, streams=("joint", "bone", "motion"), graph="utd_mhad")
# The same network for rows that train it with label smoothing: better alone, not used as a teacher.
skeleton_cnn_smooth = dict(type=SkeletonCNN, streams=("joint", "bone", "motion"), graph="utd_mhad")
skeleton_cnn_joint = dict(type=SkeletonCNN, streams=("joint",), graph="utd_mhad")
skeleton_cnn_bone = dict(type=SkeletonCNN, streams=("bone",), graph="utd_mhad")
skeleton_cnn_motion = dict(type=SkeletonCNN, streams=("motion",), graph="utd_mhad")
skeleton_cnn_kinect = dict(type=SkeletonCNN, streams=("joint", "bone", "motion"), graph="kinect_v1")
skeleton_cnn_kinect_joint = dict(skeleton_cnn_kinect, streams=("joint",))
skeleton_cnn_kinect_bone = dict(skeleton_cnn_kinect, streams=("bone",))
skeleton_cnn_kinect_motion = dict(skeleton_cnn_kinect, streams=("motion",))
skeleton_cnn_kinect_bone_motion = dict(skeleton_cnn_kinect, streams=("bone_motion",))
# Four streams that were trained alone, their scores joined as CTR-GCN joins them; a row gives each member's weights
skeleton_cnn_kinect_streams = dict(
    type=LateFusion,
    members=[
        skeleton_cnn_kinect_joint,
        skeleton_cnn_kinect_bone,
        skeleton_cnn_kinect_motion,
        skeleton_cnn_kinect_bone_motion,
    ],
    fusion="logits",
    shares=(0.6, 0.6, 0.4, 0.4),
)
# 26 k, joints alone: small enough to run anywhere
skeleton_cnn_kinect_small = dict(type=SkeletonCNN, streams=("joint",), graph="kinect_v1", widths=(16, 32, 32))
# A student for each training view of N-UCLA
skeleton_cnn_kinect_small_view_students = dict(
    type=ViewStudents,
    network=dict(skeleton_cnn_kinect_small, reads=("view_skeleton",)),
    views=2,
    view_mask="view_shown",
)

# 154 k; wants lr 5e-3 and batches of 16
stgcn = dict(type=CompactSTGCN, streams=("joint", "bone", "motion"), graph="utd_mhad")
stgcn_kinect = dict(type=CompactSTGCN, streams=("joint", "bone", "motion"), graph="kinect_v1")
