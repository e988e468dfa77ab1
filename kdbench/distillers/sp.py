"""Similarity-Preserving Knowledge Distillation (Tung et al., ICCV 2019)."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from ..registry import DISTILLERS
from ..spec import DataSpec, Fields, Needs
from .base import Distiller
from .precision import precise, without_autocast
from .stages import shapes_of


def similarities(features: Tensor) -> Tensor:
    """Inner products of the clips of a batch ``(B, B)``, rows in unit length; features are ``(B, ...)``."""
    features = features.flatten(1)
    with without_autocast(features):
        return F.normalize(features @ features.T, dim=1)


def sp_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """``||G_S - G_T||^2 / B^2`` of the two batches' ``similarities`` ``(B, B)``; exactly zero for one clip.

    Features are ``(B, ...)``, of any two shapes: channels and positions are multiplied out.

    >>> import torch
    >>> sp_loss(torch.eye(3), torch.ones(3, 2))
    tensor(0.2818)
    """
    student, teacher = precise(student, teacher)
    return F.mse_loss(similarities(student), similarities(teacher))


@DISTILLERS.register_module()
class SP(Distiller):
    """Clips that are alike for the teacher should be alike for the student; there are no parameters.

    ``stage`` says which stage of both is compared, by default the last, as in the reference.

    Published: weight 3000.

    Deviations: none.
    """

    needs = Needs(student=("stages",), teacher=("stages",))

    def __init__(self, stage: int = -1):
        super().__init__()
        self.stage = stage

    @staticmethod
    def infer(student: Fields, teacher: Fields, data: DataSpec) -> dict[str, Any]:
        shapes_of(student.stages, teacher.stages)  # refuses views that only one of them folds into the batch
        return {}

    def forward(self, student: Fields, teacher: Fields, batch: Fields) -> dict[str, Tensor]:
        return {"loss_sp": sp_loss(student.stages[self.stage], teacher.stages[self.stage].detach())}
