"""N-UCLA, train view 1, validation view 2, test view 3, all labels: four-stream ST-GCN++ teacher, ST-GCN++ student of joints, FitNets."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.nucla_single import *
    from .._base_.distillers.features import fitnet as distiller
    from .._base_.models.skeleton_graphs import stgcnpp_small as student
    from .._base_.models.skeleton_graphs import stgcnpp_small_streams as teacher
    from .._base_.runtime import *
    from .._base_.schedules.adamw_60e import *

from kdbench.models import Distillation

model = dict(
    type=Distillation,
    data=data,
    teacher=teacher,
    student=student,
    distiller=distiller,
    distill_weight=10.0,
)
