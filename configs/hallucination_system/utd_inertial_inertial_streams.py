"""UTD-MHAD, cross-subject, all labels: modality hallucination, step 4 of 4: hallucination and inertial network, fused.

The first starts from step 3, hallucination_stream/, the second from step 2, hallucination_fusion/. No skeleton is read.
Its table shows the epochs of this step alone; steps 1 to 3 come before it.
"""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.utd import *
    from .._base_.models.multimodal import inertial_inertial_streams as student
    from .._base_.runtime import *
    from .._base_.schedules.adamw_20e import *

from kdbench.models import Distillation

_run = "work_dirs/{row}/seed{seed}/student.safetensors"
hallucination, fused = (
    "hallucination_stream/utd_skeleton_stream_inertial_cnn",
    "hallucination_fusion/utd_skeleton_inertial_streams",
)
student["members"][0].update(weights=_run.replace("{row}", hallucination))
student["members"][1].update(weights=_run.replace("{row}", fused), prefix="members.1.")
lone_student = "inertial_cnn"
model = dict(type=Distillation, data=data, student=student)
