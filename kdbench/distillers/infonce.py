"""Representation Learning with Contrastive Predictive Coding (van den Oord et al., arXiv 2018).

The in-batch contrastive loss of that paper, symmetric between student and teacher.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..registry import DISTILLERS
from ..spec import DataSpec, Fields, Needs
from .base import Distiller
from .precision import precise, without_autocast
from .temperature import checked_temperature


def info_nce_loss(student: Tensor, teacher: Tensor, tau: float = 0.07, same: Tensor | None = None) -> Tensor:
    """``-mean_b [log softmax_j(s_b . t_j / tau)_b + log softmax_j(t_b . s_j / tau)_b] / 2``: own pairs are nearest.

    Embeddings are ``(B, D)`` and taken at length one. Pairs of different clips that are true in ``same`` ``(B, B)``
    (clips that share a class) are no negatives.

    >>> info_nce_loss(torch.eye(3), torch.eye(3), tau=1.0)
    tensor(0.5514)
    """
    student, teacher = (F.normalize(embedding, dim=1) for embedding in precise(student, teacher))
    with without_autocast(student):
        similarity = student @ teacher.T / tau
    own = torch.arange(len(student), device=student.device)
    if same is not None:
        similarity = similarity.masked_fill(same & (own[:, None] != own), -torch.inf)
    return (F.cross_entropy(similarity, own) + F.cross_entropy(similarity.T, own)) / 2


def share_a_class(target: Tensor) -> Tensor:
    """Which pairs of clips share a class, ``(B, B)``; ``target`` is ``(B,)``, or ``(B, K)`` zeros and ones.

    Negative targets are unlabelled and share nothing.

    >>> share_a_class(torch.tensor([0, 1, 0, -1]))[0]
    tensor([ True, False,  True, False])
    """
    if target.dim() == 1:
        return (target[:, None] == target) & (target >= 0)
    return ((target[:, None] > 0) & (target > 0)).any(2)


@DISTILLERS.register_module()
class InfoNCE(Distiller):
    """Own clip against the other clips of the batch, between student and teacher embeddings; no memory.

    ``feat_dim`` is the width of two linear embedders, which are both trained; ``tau`` is the temperature. With
    ``by_class`` clips that share a class are no negatives of each other; without it no label is read. A batch of
    one has no negatives and gives zero. Between devices nothing is gathered.

    Published: ``tau`` 0.07 to 0.1 in later contrastive work. The paper distils nothing, so it has no weight for it.

    Several labels: clips that share any class are no negatives of each other (ours).

    Deviations: the paper's loss is between a context and what comes next; here it is between two networks, both
    ways.
    """

    needs = Needs(student=("embedding",), teacher=("embedding",), batch=("target",))

    def __init__(
        self,
        student_dim: int,
        teacher_dim: int,
        feat_dim: int = 128,
        tau: float = 0.07,
        by_class: bool = True,
    ):
        super().__init__()
        self.tau, self.by_class = checked_temperature(tau), by_class
        self.embed_student = nn.Linear(student_dim, feat_dim)
        self.embed_teacher = nn.Linear(teacher_dim, feat_dim)
        self.needs = self.needs_for({"by_class": by_class})

    @classmethod
    def needs_for(cls, config: dict[str, Any]) -> Needs:
        read = ("target",) if config.get("by_class", True) else ()
        return Needs(student=("embedding",), teacher=("embedding",), batch=read)

    @staticmethod
    def infer(student: Fields, teacher: Fields, data: DataSpec) -> dict[str, Any]:
        return {
            "student_dim": student.embedding[0].numel(),
            "teacher_dim": teacher.embedding[0].numel(),
        }

    def forward(self, student: Fields, teacher: Fields, batch: Fields) -> dict[str, Tensor]:
        s = self.embed_student(student.embedding.flatten(1))
        t = self.embed_teacher(teacher.embedding.detach().flatten(1))
        same = share_a_class(batch.target) if self.by_class else None
        return {"loss_infonce": info_nce_loss(s, t, self.tau, same=same)}
