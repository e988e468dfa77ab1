"""UTD-MHAD, cross-subject, all labels: skeleton teacher, inertial student, FT.

The second of two rows: 40 epochs for a fresh student, after the 20 of the paraphraser in ft_paraphraser/.
"""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.utd import *
    from .._base_.distillers.stages import ft_factor as distiller
    from .._base_.models.inertial import inertial_cnn as student
    from .._base_.models.skeleton import skeleton_cnn as teacher
    from .._base_.runtime import *
    from .._base_.schedules.adamw_40e import *

from kdbench.models import Distillation

starts_from = "ft_paraphraser/utd_skeleton_cnn_inertial_cnn"
model = dict(type=Distillation, data=data, teacher=teacher, student=student, distiller=distiller)
