"""N-UCLA, train views 1 2, test view 3, all labels: four-stream ST-GCN++ teacher, an ST-GCN++ student a training view.

Labels and KL; no clip shows two views, so there is no agreement.
"""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.nucla_views import *
    from .._base_.distillers.crossview import crossview_no_agreement as distiller
    from .._base_.models.skeleton_graphs import stgcnpp_small_streams as teacher
    from .._base_.models.skeleton_graphs import stgcnpp_small_view_students as student
    from .._base_.runtime import *
    from .._base_.schedules.adamw_60e import *

from kdbench.models import Distillation

model = dict(
    type=Distillation,
    data=data,
    teacher=teacher,
    student=student,
    distiller=distiller,
)
