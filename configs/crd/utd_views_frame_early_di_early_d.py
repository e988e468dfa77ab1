"""Virtual views of UTD-MHAD, frame labels: teacher early_di, depth, CRD."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.utd_views_frame import *
    from .._base_.distillers.utd_views import utd_views_crd as distiller
    from .._base_.models.utd_views import early_di as teacher
    from .._base_.models.utd_views import early_d as student
    from .._base_.runtime import *
    from .._base_.schedules.adamw_24e import *

from kdbench.losses import BinaryCrossEntropy
from kdbench.models import Distillation

task_loss = dict(type=BinaryCrossEntropy, scale=5.0, frame_weight=1.0)
model = dict(
    type=Distillation, data=data, teacher=teacher, student=student, distiller=distiller, task_loss=task_loss
)
