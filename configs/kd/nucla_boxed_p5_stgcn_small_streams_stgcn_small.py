"""N-UCLA, train views 1 2, test view 3, labels of 5 % of the clips, the others without labels, as CTR-GCN reads it: four-stream ST-GCN teacher, ST-GCN student of joints, KD."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.nucla_boxed_p5 import *
    from .._base_.distillers.logits import kd as distiller
    from .._base_.models.skeleton_graphs import stgcn_small as student
    from .._base_.models.skeleton_graphs import stgcn_small_streams as teacher
    from .._base_.runtime import *
    from .._base_.schedules.adamw_80e import *

from kdbench.models import Distillation

distiller.update(tau=3.0)
model = dict(
    type=Distillation,
    data=data,
    teacher=teacher,
    student=student,
    distiller=distiller,
    task_weight=0.3,
    distill_weight=0.7,
)
