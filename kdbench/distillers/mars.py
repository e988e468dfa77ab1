"""MARS: Motion-Augmented RGB Stream for Action Recognition (Crasto et al., CVPR 2019)."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from ..registry import DISTILLERS
from ..spec import DataSpec, Fields, Needs
from .base import Distiller
from .precision import precise


def mars_loss(student: Tensor, teacher: Tensor, alpha: float = 50.0) -> Tensor:
    """``alpha * mean (student - teacher)^2`` of embeddings ``(B, D)``.

    >>> import torch
    >>> mars_loss(torch.zeros(2, 3), torch.ones(2, 3))
    tensor(50.)
    """
    return alpha * F.mse_loss(*precise(student, teacher))


@DISTILLERS.register_module()
class MARS(Distiller):
    """The student's embedding (what its classifier reads) becomes the teacher's.

    Labels reach the whole student; of the paper's two forms the other, where they train the classifier only, is
    ``MERS``.

    Published: weight 1, as ``alpha``, 50, is inside.

    Deviations: in the paper both networks are one architecture; where widths differ, a trained linear map comes
    between.
    """

    needs = Needs(student=("embedding",), teacher=("embedding",))

    def __init__(self, student_dim: int, teacher_dim: int, alpha: float = 50.0):
        super().__init__()
        self.alpha = alpha
        is_equal = student_dim == teacher_dim
        self.project = nn.Identity() if is_equal else nn.Linear(student_dim, teacher_dim)

    @staticmethod
    def infer(student: Fields, teacher: Fields, data: DataSpec) -> dict[str, Any]:
        return {
            "student_dim": student.embedding[0].numel(),
            "teacher_dim": teacher.embedding[0].numel(),
        }

    def forward(self, student: Fields, teacher: Fields, batch: Fields) -> dict[str, Tensor]:
        guess = self.project(student.embedding.flatten(1))
        return {"loss_mars": mars_loss(guess, teacher.embedding.detach().flatten(1), self.alpha)}
