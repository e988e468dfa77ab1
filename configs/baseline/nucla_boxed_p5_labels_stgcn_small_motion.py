"""N-UCLA, train views 1 2, test view 3, the labelled 5 % of the clips only, as CTR-GCN reads it: ST-GCN, small, motion of joints, 80 passes, alone."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.nucla_boxed_p5_labels import *
    from .._base_.models.skeleton_graphs import stgcn_small_motion as student
    from .._base_.runtime import *
    from .._base_.schedules.adamw_80e import *

from kdbench.models import Distillation

model = dict(type=Distillation, data=data, student=student)
