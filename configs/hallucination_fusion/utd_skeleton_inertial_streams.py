"""UTD-MHAD, cross-subject, all labels: modality hallucination, step 2 of 4: skeleton and inertial network, fused.

Both start from step 1, baseline/utd_skeleton_cnn and baseline/utd_inertial_cnn, and are trained on together.
"""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.utd import *
    from .._base_.models.multimodal import skeleton_inertial_streams as student
    from .._base_.runtime import *
    from .._base_.schedules.adamw_20e import *

from kdbench.models import Distillation

parts = ("skeleton_cnn", "inertial_cnn")
for member, part in zip(student["members"], parts, strict=True):
    member.update(weights=teacher_weights.replace("{part}", part))
model = dict(type=Distillation, data=data, student=student)
