"""Confidence-Aware Multi-Teacher Knowledge Distillation (Zhang et al., ICASSP 2022)."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..registry import DISTILLERS
from ..spec import MULTI_LABEL, DataSpec, Fields, Needs
from .base import Distiller
from .binary import known_form
from .norm import AnyNorm
from .precision import precise
from .temperature import checked_temperature


def teacher_label_losses(logits: Sequence[Tensor], target: Tensor, form: str = "softmax") -> Tensor:
    """How unlikely each clip's label is to each of P teachers, ``-log p(label)``: ``(P, B)``; 0 for unlabelled clips.

    Logits are ``(B, K)``. ``target`` is ``(B,)``, or of zeros and ones ``(B, K)`` in the Bernoulli form, whose labels
    are independent. What is below zero is unlabelled.

    >>> teacher_label_losses([torch.eye(2), torch.zeros(2, 2)], torch.tensor([0, -100]))
    tensor([[0.3133, 0.0000],
            [0.6931, 0.0000]])
    """
    stacked = torch.stack(precise(*logits))
    known = target >= 0
    if form == "bernoulli":
        signed = torch.where(target > 0.5, stacked, -stacked)
        return -(F.logsigmoid(signed) * known).sum(2)
    labels = target.clamp(min=0).expand(len(stacked), -1)[..., None]
    return -(stacked.log_softmax(2).gather(2, labels)[..., 0] * known)


def confidence_weights(losses: Tensor) -> Tensor:
    """``(1 - softmax over teachers) / (P - 1)`` of ``teacher_label_losses`` ``(P, B)``: a sum of 1 for each clip.

    >>> confidence_weights(torch.tensor([[0.0, 1.0], [0.0, 5.0]]))
    tensor([[0.5000, 0.9820],
            [0.5000, 0.0180]])
    """
    return (1 - losses.softmax(0)) / (len(losses) - 1)


def camkd_divergences(
    student: Tensor, teachers: Sequence[Tensor], tau: float, form: str = "softmax"
) -> Tensor:
    """The terms of ``kd_loss`` (or ``bernoulli_kd_loss``) by teacher and clip: ``(P, B)``; logits ``(B, K)``.

    >>> camkd_divergences(torch.zeros(1, 2), [torch.zeros(1, 2), torch.tensor([[0.0, 2.0]])], tau=1.0)
    tensor([[0.0000],
            [0.3278]])
    """
    student, teacher = precise(student / tau, torch.stack(tuple(teachers)) / tau)
    if form == "softmax":
        student, teacher = student.log_softmax(1).expand_as(teacher), teacher.log_softmax(2)
        return tau**2 * F.kl_div(student, teacher, reduction="none", log_target=True).sum(2)
    present = teacher.sigmoid() * (F.logsigmoid(teacher) - F.logsigmoid(student))
    absent = (-teacher).sigmoid() * (F.logsigmoid(-teacher) - F.logsigmoid(-student))
    return tau**2 * (present + absent).mean(2)


def camkd_loss(
    student: Tensor, teachers: Sequence[Tensor], target: Tensor, tau: float = 4.0, form: str = "softmax"
) -> Tensor:
    """Divergences from the teachers, each clip weighted by how well each teacher knows its label; mean over clips.

    >>> camkd_loss(torch.zeros(1, 2), [torch.zeros(1, 2), torch.tensor([[0.0, 2.0]])], torch.tensor([1]), tau=1.0)
    tensor(0.2091)
    """
    weights = confidence_weights(teacher_label_losses(teachers, target, form))
    return (weights * camkd_divergences(student, teachers, tau, form)).sum(0).mean()


def camkd_feature_loss(
    guesses: Sequence[Tensor],
    embeddings: Sequence[Tensor],
    guessed_logits: Sequence[Tensor],
    target: Tensor,
    form: str = "softmax",
) -> Tensor:
    """Mean squares between embeddings ``(B, D_k)``, weighted by how well ``guessed_logits`` know the label.

    ``guessed_logits`` ``(B, K)`` are what the teachers' own last layers make of ``guesses``. The gradient runs through
    the weights too.

    >>> pair = [torch.zeros(1, 3), torch.zeros(1, 2)]
    >>> camkd_feature_loss(pair, [torch.ones(1, 3), torch.zeros(1, 2)], 2 * [torch.zeros(1, 2)], torch.tensor([1]))
    tensor(0.5000)
    """
    weights = confidence_weights(teacher_label_losses(guessed_logits, target, form))
    pairs = zip(precise(*guesses), precise(*embeddings), strict=True)
    squares = torch.stack([(guess - wanted).square().mean(1) for guess, wanted in pairs])
    return (weights * squares).sum(0).mean()


@DISTILLERS.register_module()
class CAMKD(Distiller):
    """Several teachers, each weighted clip by clip by how well it knows the label.

    The teachers are the members of one model, such as the backbone ``LateFusion``, which gives ``member_logits`` and
    ``member_embeddings``: lists of ``(B, K)`` and ``(B, D_k)``. ``loss_camkd`` compares class scores at the temperature
    ``tau``; ``loss_camkd_feature`` compares the student's embedding, projected to each teacher's width, with the
    teacher's, and its weights come from the teacher's own last layer (``borrow``) on the projected embedding. Clips
    without a label have equal weights for all teachers. ``feature_weight`` is beside the first term's 1.

    Published: temperature 4, weights 1, 1 and 50 of labels, class scores and features.

    Several labels: ``form`` is ``"softmax"`` for one label a clip and ``"bernoulli"`` for several; the data's task
    settles it. The Bernoulli form (ours) takes the likelihood of all labels of a clip together.

    Limits: at least two teachers, each ending in one linear layer.

    Deviations: embeddings are compared, where the paper compares the maps before the last pooling. The released code
    divides both terms by the number of teachers once more; the paper does not. It leaves the feature term out of the
    first epoch.
    """

    needs = Needs(
        student=("logits", "embedding"),
        teacher=("member_logits", "member_embeddings"),
        batch=("target",),
        heads=("teacher_members",),
    )

    def __init__(
        self,
        student_dim: int,
        teacher_dims: Sequence[int],
        tau: float = 4.0,
        feature_weight: float = 50.0,
        form: str = "softmax",
    ):
        super().__init__()
        if len(teacher_dims) < 2:
            raise ValueError(f"CAMKD weights two teachers or more; there is: {len(teacher_dims)}")
        self.tau, self.feature_weight, self.form = checked_temperature(tau), feature_weight, known_form(form)
        self.projections = nn.ModuleList(
            nn.Sequential(nn.Linear(student_dim, width), AnyNorm(width), nn.ReLU()) for width in teacher_dims
        )
        self._heads: list[nn.Linear] = []  # not modules of ours: they are the teachers' own

    @staticmethod
    def infer(student: Fields, teacher: Fields, data: DataSpec) -> dict[str, Any]:
        return {
            "student_dim": student.embedding.shape[1],
            "teacher_dims": [embedding.shape[1] for embedding in teacher.member_embeddings],
            "form": "bernoulli" if data.task == MULTI_LABEL else "softmax",
        }

    def borrow(self, teacher_members: Sequence[nn.Linear]) -> None:
        self._heads = list(teacher_members)

    def forward(self, student: Fields, teacher: Fields, batch: Fields) -> dict[str, Tensor]:
        if not self._heads:
            raise ValueError("CAMKD has no last linear layers of the teachers; give them by borrow(...)")
        logits = [of_one.detach() for of_one in teacher.member_logits]
        embeddings = [of_one.detach() for of_one in teacher.member_embeddings]
        guesses = [project(student.embedding) for project in self.projections]
        guessed = [
            F.linear(guess, head.weight.detach(), None if head.bias is None else head.bias.detach())
            for guess, head in zip(guesses, self._heads, strict=True)
        ]
        feature = camkd_feature_loss(guesses, embeddings, guessed, batch.target, self.form)
        return {
            "loss_camkd": camkd_loss(student.logits, logits, batch.target, self.tau, self.form),
            "loss_camkd_feature": self.feature_weight * feature,
        }
