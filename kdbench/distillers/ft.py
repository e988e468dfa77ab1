"""Paraphrasing Complex Network: Network Compression via Factor Transfer (Kim et al., NeurIPS 2018)."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from ..registry import DISTILLERS
from ..spec import DataSpec, Fields, Needs
from .at import attention_map
from .base import Distiller
from .norm import AnyNorm
from .precision import precise
from .stages import (
    CONVOLUTIONS,
    TRANSPOSED,
    Shape,
    chosen,
    common_axes,
    matched,
    pooled_to,
    positions_shared,
    shapes_of,
)

PHASES = ("joint", "paraphraser", "factor")
SLOPE = 0.1  # of the leaky ReLUs


def ft_loss(student: Tensor, teacher: Tensor, p1: float = 2, p2: float = 1) -> Tensor:
    """Mean of ``|difference|^p2`` of two factors ``(B, C, ...)``, each as the length-1 map of its mean ``p1``-th power.

    >>> import torch
    >>> ft_loss(torch.tensor([[[3.0, 0.0]]]), torch.tensor([[[0.0, 1.0]]]))
    tensor(1.)
    """
    student, teacher = (attention_map(factor, p1) for factor in matched(*precise(student, teacher)))
    return F.l1_loss(student, teacher) if p2 == 1 else (student - teacher).abs().pow(p2).mean()


def _layers(
    kind: type[nn.Module], widths: Sequence[int], norm: type[nn.Module] | None = None
) -> nn.Sequential:
    layers: list[nn.Module] = []
    for narrow, wide in pairwise(widths):
        layers += [kind(narrow, wide, kernel_size=3, padding=1), nn.LeakyReLU(SLOPE)]
        if norm is not None:
            layers.insert(-1, norm(wide))
    return nn.Sequential(*layers)


class Paraphraser(nn.Module):
    """An auto-encoder of a stage ``(B, C, ...)``, three convolutions each way; its code is the factor."""

    def __init__(self, rank: int, channels: int, factor_channels: int):
        super().__init__()
        widths = (channels, channels, factor_channels, factor_channels)
        self.encoder = _layers(CONVOLUTIONS[rank], widths)
        self.decoder = _layers(TRANSPOSED[rank], widths[::-1])

    def forward(self, stage: Tensor) -> tuple[Tensor, Tensor]:
        factor = self.encoder(stage)
        return factor, F.mse_loss(*precise(self.decoder(factor), stage))


@DISTILLERS.register_module()
class FT(Distiller):
    """A paraphraser's code of a teacher's stage, which a translator of the student's must give.

    ``rate`` is the factor's width over the teacher's, ``p1`` and ``p2`` the powers in ``ft_loss``; ``stage`` and
    ``teacher_stage`` as in FitNet. The paper trains the paraphraser alone first. That is two rows, the second with
    ``starts_from`` the first:

    1. ``phase="paraphraser"`` with ``task_weight=0``: only ``loss_paraphraser``; the student learns nothing.
    2. ``phase="factor"`` with the ``weights`` of the first's distiller: it is fixed, and the student starts afresh.

    The default ``phase="joint"`` needs one row only: both losses at once, each training its own part.

    Published: weight 200, ``rate`` 0.5, ``p1`` 2, ``p2`` 1; the paraphraser for 30 epochs, at learning rate 0.01 in the
    reference code.

    Limits: stages that share one position only are refused; give ``stage`` and ``teacher_stage`` of others.

    Deviations: ``phase="joint"`` is ours. Axes that the two stages do not share are averaged away.
    """

    needs = Needs(student=("stages",), teacher=("stages",))

    def __init__(
        self,
        student_shapes: Sequence[Shape],
        teacher_shapes: Sequence[Shape],
        rate: float = 0.5,
        p1: float = 2,
        p2: float = 1,
        stage: int = -1,
        teacher_stage: int | None = None,
        phase: str = "joint",
    ):
        super().__init__()
        if phase not in PHASES:
            raise ValueError(f"phase '{phase}' is unknown; there is: {', '.join(PHASES)}")
        self.stage, self.teacher_stage = stage, stage if teacher_stage is None else teacher_stage
        self.p1, self.p2, self.phase = p1, p2, phase
        student = chosen("student", student_shapes, self.stage)
        teacher = chosen("teacher", teacher_shapes, self.teacher_stage)
        remedy = "stage= and teacher_stage= of others"
        positions_shared("FT", student_shapes, teacher_shapes, [(self.stage, self.teacher_stage)], remedy)
        self.axes, wide = common_axes(student, teacher), max(1, int(rate * teacher[0]))
        rank = len(self.axes)
        self.paraphraser = Paraphraser(rank, teacher[0], wide)
        self.translator = _layers(CONVOLUTIONS[rank], (student[0], student[0], wide, wide), AnyNorm)
        self.paraphraser.requires_grad_(phase != "factor")
        self.translator.requires_grad_(phase != "paraphraser")
        self.is_kept, self.needs_weights = phase == "paraphraser", phase == "factor"

    @staticmethod
    def infer(student: Fields, teacher: Fields, data: DataSpec) -> dict[str, Any]:
        return shapes_of(student.stages, teacher.stages)

    def forward(self, student: Fields, teacher: Fields, batch: Fields) -> dict[str, Tensor]:
        target = pooled_to(teacher.stages[self.teacher_stage].detach(), self.axes)
        factor, reconstruction = self.paraphraser(target)
        losses = {}
        if self.phase != "factor":
            losses["loss_paraphraser"] = reconstruction
        if self.phase != "paraphraser":
            guess = self.translator(pooled_to(student.stages[self.stage], self.axes))
            losses["loss_ft"] = ft_loss(guess, factor.detach(), self.p1, self.p2)
        return losses
