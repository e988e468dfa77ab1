"""Networks that join modalities or streams; a row gives each member's ``weights`` if they were trained before."""

from kdbench.backbones import CrossStreams, InertialCNN, LateFusion, ResNet, SkeletonCNN, TokenFusion

_joint = dict(type=SkeletonCNN, streams=("joint",))
_bone = dict(type=SkeletonCNN, streams=("bone",))
_motion = dict(type=SkeletonCNN, streams=("motion",))
_skeleton = dict(type=SkeletonCNN, streams=("joint", "bone", "motion"))
_inertial = dict(type=InertialCNN)

# Late fusion: the mean of the members' probabilities
three_stream = dict(type=LateFusion, members=[_joint, _bone, _motion])  # 2.4 M parameters
late_fusion = dict(type=LateFusion, members=[_skeleton, _inertial])  # 1.1 M
four_nets = dict(type=LateFusion, members=[_joint, _bone, _motion, _inertial])  # 2.7 M

# One stream of such a network, to be taken from its file
skeleton_stream = dict(type=LateFusion, members=[_skeleton])  # 823 k
# The first multiplies what the second reads
skeleton_inertial_streams = dict(type=CrossStreams, members=[_skeleton, _inertial])  # 1.1 M
inertial_inertial_streams = dict(type=CrossStreams, members=[_inertial, _inertial])  # 608 k

# Two image networks, for methods with several teachers
resnet20_resnet14 = dict(
    type=LateFusion, members=[dict(type=ResNet, blocks=(3, 3, 3)), dict(type=ResNet, blocks=(2, 2, 2))]
)  # 448 k with 10 classes

# Token fusion: one transformer over the members' feature maps, trained together
token_fusion = dict(type=TokenFusion, encoders=[_skeleton, _inertial])  # 1.4 M
