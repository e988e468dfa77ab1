"""NTU RGB+D 60, cross-subject, takes of three cameras, labels of 10 %, the others unlabelled: skeleton teacher, an RGB student a camera.

KL, pseudo-labels and agreement of the cameras; tested together (mean probability) and camera by camera.
"""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.ntu60_xsub_p10_takes import *
    from .._base_.distillers.crossview import crossview as distiller
    from .._base_.models.skeleton_paper import stgcnpp_paper as teacher
    from .._base_.models.view_students import rgb_view_students as student
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
