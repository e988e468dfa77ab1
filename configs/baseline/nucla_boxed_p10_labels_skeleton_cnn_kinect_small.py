"""N-UCLA, train views 1 2, test view 3, the labelled 10 % of the clips only, as CTR-GCN reads it: small skeleton CNN, joints, alone."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.nucla_boxed_p10_labels import *
    from .._base_.models.skeleton import skeleton_cnn_kinect_small as student
    from .._base_.runtime import *
    from .._base_.schedules.adamw_80e import *

from kdbench.models import Distillation

model = dict(type=Distillation, data=data, student=student)
