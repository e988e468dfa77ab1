"""UTD-MHAD, cross-subject, all labels: TSMF, a skeleton network that weighs crops of depth around five joints.

The guide is baseline/utd_stgcn. Both modalities are read in tests too.
"""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.utd_aligned import *
    from .._base_.models.tsmf import tsmf_depth as student
    from .._base_.runtime import *
    from .._base_.schedules.adamw_40e import *

from kdbench.models import Distillation

student["guide"].update(weights=teacher_weights.replace("{part}", "stgcn"))
model = dict(type=Distillation, data=data, student=student)
