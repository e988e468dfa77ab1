"""N-UCLA, train views 1 2, test view 3, all labels: skeleton CNN, four streams that were trained alone, joined; nothing is trained."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.nucla import *
    from .._base_.models.skeleton import skeleton_cnn_kinect_streams as student
    from .._base_.runtime import *
    from .._base_.schedules.untrained import *

from kdbench.models import Distillation

parts = (
    "skeleton_cnn_kinect_joint",
    "skeleton_cnn_kinect_bone",
    "skeleton_cnn_kinect_motion",
    "skeleton_cnn_kinect_bone_motion",
)
for member, part in zip(student["members"], parts, strict=True):
    member.update(weights=teacher_weights.replace("{part}", part))
model = dict(type=Distillation, data=data, student=student)
