"""MultiSensor-Home1, frame labels: the MultiTSF teacher that sees and hears."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.home1_frame import *
    from .._base_.models.multitsf_paper import tsf_vit_av as student
    from .._base_.runtime import *
    from .._base_.schedules.adam_300e import *

from kdbench.evaluation import BranchAP
from kdbench.losses import HumanCentric
from kdbench.models import Distillation

task_loss = dict(type=HumanCentric, frame_weight=1.0)
test_evaluator.append(dict(type=BranchAP))
model = dict(type=Distillation, data=data, student=student, task_loss=task_loss, preprocessor=preprocessor)
