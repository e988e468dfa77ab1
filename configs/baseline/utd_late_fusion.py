"""UTD-MHAD, cross-subject, all labels: late fusion of 2 networks that were trained alone; nothing is trained."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.utd import *
    from .._base_.models.multimodal import late_fusion as student
    from .._base_.runtime import *
    from .._base_.schedules.untrained import *

from kdbench.models import Distillation

parts = ("skeleton_cnn_smooth", "inertial_cnn")
for member, part in zip(student["members"], parts, strict=True):
    member.update(weights=teacher_weights.replace("{part}", part))
model = dict(type=Distillation, data=data, student=student)
