"""UTD-MHAD, cross-subject, the clips of subjects 1 and 3 only: skeletons and inertial sensor, trained alone, joined; nothing is trained."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.utd_s13_labels import *
    from .._base_.models.multimodal import late_fusion as student
    from .._base_.runtime import *
    from .._base_.schedules.untrained import *

from kdbench.models import Distillation

alone = "work_dirs/baseline/utd_s13_labels_{part}/seed{seed}/student.safetensors"
parts = ("skeleton_cnn", "inertial_cnn")
for member, part in zip(student["members"], parts, strict=True):
    member.update(weights=alone.replace("{part}", part))
model = dict(type=Distillation, data=data, student=student)
