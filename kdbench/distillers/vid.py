"""Variational Information Distillation for Knowledge Transfer (Ahn et al., CVPR 2019)."""

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..registry import DISTILLERS
from ..spec import DataSpec, Fields, Needs
from .base import Distiller
from .precision import precise
from .stages import CONVOLUTIONS, Shape, chosen, common_axes, matched, paired, shapes_of

EPSILON = 1e-5  # the least variance


def vid_log_scale(variance: float = 5.0, epsilon: float = EPSILON) -> float:
    """The parameter whose softplus plus ``epsilon`` is ``variance``.

    >>> round(vid_log_scale(5.0), 4)
    4.9932
    """
    above = variance - epsilon
    return above + math.log(-math.expm1(-above))


def vid_loss(mean: Tensor, teacher: Tensor, log_scale: Tensor, epsilon: float = EPSILON) -> Tensor:
    """``mean [(mean - teacher)^2 / v + log v] / 2``: how unlikely a stage ``(B, C, ...)`` is under a Gaussian.

    ``log_scale`` ``(C,)`` gives the variance of each channel, ``v = softplus(log_scale) + epsilon``. Averaged over
    all entries; the constant ``log(2 pi) / 2`` is left out, so the loss may be negative.

    >>> vid_loss(torch.zeros(2, 3, 4), torch.ones(2, 3, 4), torch.full((3,), vid_log_scale(1.0)))
    tensor(0.5000)
    """
    mean, teacher, log_scale = precise(mean, teacher, log_scale)
    variance = (F.softplus(log_scale) + epsilon).reshape(-1, *[1] * (mean.dim() - 2))
    return ((mean - teacher).square() / variance + variance.log()).mean() / 2


class Gaussian(nn.Module):
    """Guesses a teacher's stage from a student's: its mean by three 1 x 1 convolutions, a variance for each channel."""

    def __init__(self, student: Shape, teacher: Shape, variance: float = 5.0):
        super().__init__()
        rank, wide = len(common_axes(student, teacher)), teacher[0]
        layers = [_pointwise(rank, narrow, wide) for narrow in (student[0], wide, wide)]
        self.mean = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])
        self.log_scale = nn.Parameter(torch.full((wide,), vid_log_scale(variance)))

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        student, teacher = matched(student, teacher)
        return vid_loss(self.mean(student), teacher, self.log_scale)


@DISTILLERS.register_module()
class VID(Distiller):
    """A lower bound of the mutual information between paired stages, summed over pairs.

    ``variance`` is what each channel's variance starts from; it is learned, as are the three convolutions without
    bias. ``pairs`` are ``(student stage, teacher stage)``; by default the deepest with the deepest and so on
    upwards.

    Published: weight 1, ``variance`` 5 and three convolutions, as in the reference code.

    Deviations: axes that two stages do not share are averaged away.
    """

    needs = Needs(student=("stages",), teacher=("stages",))

    def __init__(
        self,
        student_shapes: Sequence[Shape],
        teacher_shapes: Sequence[Shape],
        variance: float = 5.0,
        pairs: Sequence[tuple[int, int]] | None = None,
    ):
        super().__init__()
        if variance <= EPSILON:
            raise ValueError(f"VID's first variance is greater than {EPSILON}; there is: variance={variance}")
        self.pairs = paired(student_shapes, teacher_shapes, pairs)
        self.gaussians = nn.ModuleList(
            Gaussian(chosen("student", student_shapes, s), chosen("teacher", teacher_shapes, t), variance)
            for s, t in self.pairs
        )

    @staticmethod
    def infer(student: Fields, teacher: Fields, data: DataSpec) -> dict[str, Any]:
        return shapes_of(student.stages, teacher.stages)

    def forward(self, student: Fields, teacher: Fields, batch: Fields) -> dict[str, Tensor]:
        pairs = zip(self.gaussians, self.pairs, strict=True)
        losses = [gaussian(student.stages[s], teacher.stages[t].detach()) for gaussian, (s, t) in pairs]
        return {"loss_vid": sum(losses)}


def _pointwise(rank: int, narrow: int, wide: int) -> nn.Module:
    if rank == 0:
        return nn.Linear(narrow, wide, bias=False)
    return CONVOLUTIONS[rank](narrow, wide, kernel_size=1, bias=False)
