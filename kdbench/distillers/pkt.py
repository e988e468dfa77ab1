"""Learning Deep Representations with Probabilistic Knowledge Transfer (Passalis et al., ECCV 2018)."""

import torch
from torch import Tensor

from ..registry import DISTILLERS
from ..spec import Fields, Needs
from .base import Distiller
from .precision import precise, without_autocast


def neighbour_probabilities(embedding: Tensor, eps: float = 1e-7) -> Tensor:
    """How likely each clip picks each, ``(B, B)``: cosine similarity moved to [0, 1], rows summing to one."""
    unit = embedding / (torch.linalg.vector_norm(embedding, dim=1, keepdim=True) + eps)
    with without_autocast(embedding):
        similarity = ((unit @ unit.T + 1) / 2).clamp(min=0)  # rounding can go below
    return similarity / similarity.sum(1, keepdim=True)


def pkt_loss(student: Tensor, teacher: Tensor, eps: float = 1e-7) -> Tensor:
    """``mean_ij T_ij log(T_ij / S_ij)`` of ``neighbour_probabilities``, over all ``B^2`` entries; zero for one clip.

    Embeddings are ``(B, D)``; the widths may differ. ``eps`` is added to lengths and probabilities as in the
    authors' code.

    >>> pkt_loss(torch.eye(3), torch.ones(3, 2))
    tensor(0.0189)
    """
    student, teacher = (neighbour_probabilities(x, eps) for x in precise(student, teacher))
    return (teacher * ((teacher + eps) / (student + eps)).log()).mean()


@DISTILLERS.register_module()
class PKT(Distiller):
    """Probabilities of neighbours among the embeddings of a batch; there are no parameters.

    Published: weight 30000, ``eps`` 1e-7.

    Deviations: the mean over all entries instead of a sum, as in the reference code.
    """

    needs = Needs(student=("embedding",), teacher=("embedding",))

    def __init__(self, eps: float = 1e-7):
        super().__init__()
        self.eps = eps

    def forward(self, student: Fields, teacher: Fields, batch: Fields) -> dict[str, Tensor]:
        embeddings = student.embedding.flatten(1), teacher.embedding.detach().flatten(1)
        return {"loss_pkt": pkt_loss(*embeddings, eps=self.eps)}
