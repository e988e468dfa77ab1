"""N-UCLA, train views 1 2, test view 3, all labels: four-stream skeleton CNN as teacher, a small skeleton CNN of joints a training view.

Labels and KL; no clip shows two views, so there is no agreement.
"""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.nucla_views import *
    from .._base_.distillers.crossview import crossview_no_agreement as distiller
    from .._base_.models.skeleton import skeleton_cnn_kinect_small_view_students as student
    from .._base_.models.skeleton import skeleton_cnn_kinect_streams as teacher
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
