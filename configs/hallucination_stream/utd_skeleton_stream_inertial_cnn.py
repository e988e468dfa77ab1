"""UTD-MHAD, cross-subject, all labels: modality hallucination, step 3 of 4: an inertial network hallucinates skeletons.

The teacher is the skeleton stream of step 2, hallucination_fusion/. With the one of step 1 it is hallucination/.
"""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.utd import *
    from .._base_.distillers.stages import hallucination as distiller
    from .._base_.models.inertial import inertial_cnn as student
    from .._base_.models.multimodal import skeleton_stream as teacher
    from .._base_.runtime import *
    from .._base_.schedules.adamw_60e import *

from kdbench.models import Distillation

fused = "work_dirs/hallucination_fusion/utd_skeleton_inertial_streams/seed{seed}/student.safetensors"
teacher["members"][0].update(weights=fused, prefix="members.0.")
teacher.update(weights=None)
model = dict(
    type=Distillation,
    data=data,
    teacher=teacher,
    student=student,
    distiller=distiller,
)
