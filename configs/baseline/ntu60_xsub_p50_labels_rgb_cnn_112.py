"""NTU RGB+D 60, cross-subject, 50 % of the takes and no other: RGB video CNN alone."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.ntu60_xsub_p50_labels import *
    from .._base_.models.video import rgb_cnn_112 as student
    from .._base_.runtime import *
    from .._base_.schedules.adamw_40e import *

from kdbench.models import Distillation

model = dict(type=Distillation, data=data, student=student)
