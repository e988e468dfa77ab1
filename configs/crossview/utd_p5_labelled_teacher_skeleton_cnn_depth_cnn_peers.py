"""UTD-MHAD, labelled teacher, labels of 5 % of the clips, the others without labels: skeleton teacher, two depth students that agree.

KL, pseudo-labels and agreement; what is tested is the mean of both students' logits.
"""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.utd_p5_labelled_teacher import *
    from .._base_.distillers.crossview import crossview as distiller
    from .._base_.models.peers import depth_cnn_peers as student
    from .._base_.models.skeleton import skeleton_cnn as teacher
    from .._base_.runtime import *
    from .._base_.schedules.adamw_40e import *

from kdbench.models import Distillation

lone_student = "depth_cnn"
model = dict(
    type=Distillation,
    data=data,
    teacher=teacher,
    student=student,
    distiller=distiller,
)
