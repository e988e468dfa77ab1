"""Correlation Congruence for Knowledge Distillation (Peng et al., ICCV 2019)."""

from typing import Any

from torch import Tensor, nn

from ..registry import DISTILLERS
from ..spec import DataSpec, Fields, Needs
from .base import Distiller
from .precision import precise


def cc_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """``1 / (B - 1) * sum_i sum_d |e_i| |e_(i+1)|`` with errors ``e = student - teacher`` of neighbouring clips.

    Embeddings are ``(B, D)``. Zero for one clip, which has no neighbour.

    >>> import torch
    >>> cc_loss(torch.eye(3), torch.zeros(3, 3) + 0.5)
    tensor(0.7500)
    """
    student, teacher = precise(student, teacher)
    error = (student - teacher).abs()
    return (error[:-1] * error[1:]).sum() / max(len(error) - 1, 1)


@DISTILLERS.register_module()
class CC(Distiller):
    """``cc_loss`` between linear embeddings of both networks.

    ``student_dim`` and ``teacher_dim`` are the widths of the networks' embeddings, ``feat_dim`` that of the common
    one. Both linear maps are trained with the student, as in the reference, and not used in tests.

    Published: weight 0.02, ``feat_dim`` 128.

    Deviations: this is the form of the code behind the tables of later papers (RepDistiller); the paper's own,
    between kernel matrices of the batch, is another loss.
    """

    needs = Needs(student=("embedding",), teacher=("embedding",))

    def __init__(self, student_dim: int, teacher_dim: int, feat_dim: int = 128):
        super().__init__()
        self.embed_student = nn.Linear(student_dim, feat_dim)
        self.embed_teacher = nn.Linear(teacher_dim, feat_dim)

    @staticmethod
    def infer(student: Fields, teacher: Fields, data: DataSpec) -> dict[str, Any]:
        return {
            "student_dim": student.embedding[0].numel(),
            "teacher_dim": teacher.embedding[0].numel(),
        }

    def forward(self, student: Fields, teacher: Fields, batch: Fields) -> dict[str, Tensor]:
        from_student = self.embed_student(student.embedding.flatten(1))
        from_teacher = self.embed_teacher(teacher.embedding.detach().flatten(1))
        return {"loss_cc": cc_loss(from_student, from_teacher)}
