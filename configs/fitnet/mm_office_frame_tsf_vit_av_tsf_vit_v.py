"""MM-Office, frame labels: audio-visual MultiTSF teacher, visual student, FitNets."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.mm_office_frame import *
    from .._base_.distillers.features import fitnet as distiller
    from .._base_.models.multitsf_paper import tsf_vit_av as teacher
    from .._base_.models.multitsf_paper import tsf_vit_v as student
    from .._base_.runtime import *
    from .._base_.schedules.adam_300e import *

from kdbench.evaluation import BranchAP
from kdbench.losses import HumanCentric
from kdbench.models import Distillation

task_loss = dict(type=HumanCentric, frame_weight=1.0)
test_evaluator.append(dict(type=BranchAP))
model = dict(
    type=Distillation,
    data=data,
    teacher=teacher,
    student=student,
    distiller=distiller,
    task_loss=task_loss,
    preprocessor=preprocessor,
    distill_weight=1.0,
)
