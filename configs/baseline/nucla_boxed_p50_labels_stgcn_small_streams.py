"""N-UCLA, train views 1 2, test view 3, the labelled 50 % of the clips only, as CTR-GCN reads it: ST-GCN, small, four streams that were trained alone, joined; nothing is trained."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.nucla_boxed_p50_labels import *
    from .._base_.models.skeleton_graphs import stgcn_small_streams as student
    from .._base_.runtime import *
    from .._base_.schedules.untrained import *

from kdbench.models import Distillation

parts = ("stgcn_small", "stgcn_small_bone", "stgcn_small_motion", "stgcn_small_bone_motion")
for member, part in zip(student["members"], parts, strict=True):
    member.update(weights=teacher_weights.replace("{part}", part))
model = dict(type=Distillation, data=data, student=student)
