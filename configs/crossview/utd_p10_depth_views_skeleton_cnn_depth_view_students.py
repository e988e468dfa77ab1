"""UTD-MHAD, labels of 10 % of the clips, the others without labels: skeleton teacher, a depth student for each of three virtual views.

KL, pseudo-labels and agreement of the views; tested together (mean probability) and view by view.
"""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.utd_p10_depth_views import *
    from .._base_.distillers.crossview import crossview as distiller
    from .._base_.models.view_students import depth_view_students as student
    from .._base_.models.skeleton import skeleton_cnn as teacher
    from .._base_.runtime import *
    from .._base_.schedules.adamw_40e import *

from kdbench.models import Distillation

model = dict(
    type=Distillation,
    data=data,
    teacher=teacher,
    student=student,
    distiller=distiller,
)
