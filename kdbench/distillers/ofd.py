"""A Comprehensive Overhaul of Feature Distillation (Heo et al., ICCV 2019)."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..registry import DISTILLERS
from ..spec import DataSpec, Fields, Needs
from .base import Distiller
from .norm import AnyNorm
from .precision import precise
from .stages import (
    CONVOLUTIONS,
    Shape,
    averaged_to,
    chosen,
    common_axes,
    paired,
    pooled_to,
    shapes_of,
)

RARE = 0.001  # the share of negative values from which on their mean is not used


def ofd_margin(weight: Tensor, bias: Tensor) -> Tensor:
    """The mean negative value after a batch normalisation with ``weight`` and ``bias`` ``(C,)``, for each channel.

    Values are taken as Gaussian with mean ``bias`` and deviation ``|weight|``. Where at most one in a thousand is
    negative it is three deviations below zero.

    >>> ofd_margin(torch.tensor([1.0, -2.0, 0.1]), torch.tensor([0.0, 0.0, 5.0]))
    tensor([-0.7979, -1.5958, -0.3000])
    """
    weight, bias = precise(weight, bias)
    deviation = weight.abs().clamp(min=1e-12)
    ratio = bias / deviation
    below = torch.special.ndtr(-ratio)
    density = (-(ratio**2) / 2).exp() / math.sqrt(2 * math.pi)
    return torch.where(below > RARE, bias - deviation * density / below.clamp(min=RARE), -3 * deviation)


def partial_distance(student: Tensor, teacher: Tensor, margin: Tensor) -> Tensor:
    """``mean_b sum (student - t)^2``, ``t = max(teacher, margin)``, where ``student > t`` or ``teacher > 0``.

    That is none where both are below the margin or the ReLU drops both. Pre-activations ``(B, C, ...)`` of one
    shape, ``margin`` ``(C,)`` below 0.

    >>> partial_distance(torch.tensor([[2.0, -5.0, 1.0]]), torch.tensor([[1.0, -3.0, -3.0]]), -torch.ones(3))
    tensor(5.)
    """
    target = torch.maximum(teacher, margin.reshape(-1, *[1] * (teacher.dim() - 2)))
    counts = (student > target) | (teacher > 0)
    return torch.where(counts, (student - target).square(), 0.0).sum() / len(student)


def ofd_loss(student: Sequence[Tensor], teacher: Sequence[Tensor], margins: Sequence[Tensor]) -> Tensor:
    """``sum_i partial_distance_i / 2^(L - i - 1)`` over ``L`` pairs, shallow to deep, each on the student's grid.

    >>> ofd_loss([torch.zeros(1, 1, 2)], [torch.ones(1, 1, 4)], [-torch.ones(1)])
    tensor(2.)
    """
    total, count = 0, len(student)
    for i, layers in enumerate(zip(student, teacher, margins, strict=True)):
        s, t, margin = precise(*layers)
        axes = common_axes(tuple(s.shape[1:]), tuple(t.shape[1:]))
        s, t = pooled_to(s, axes), pooled_to(t, axes)
        total = total + partial_distance(s, averaged_to(t, s.shape[2:]), margin) / 2 ** (count - i - 1)
    return total


class Margin(nn.Module):
    """The mean negative value of each channel ``(C,)`` of pre-activations seen in training; 0 before there is one."""

    def __init__(self, channels: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("count", torch.zeros(channels))

    @torch.no_grad()
    def forward(self, preact: Tensor) -> Tensor:
        if self.training:
            values = preact.float().transpose(0, 1).flatten(1)
            number = (values < 0).sum(1)
            self.count += number
            self.mean += (values.clamp(max=0).sum(1) - number * self.mean) / self.count.clamp(min=1)
        return self.mean


@DISTILLERS.register_module()
class OFD(Distiller):
    """Pre-activations of paired layers, without what the ReLU drops anyway.

    ``margins`` holds a list ``(C,)`` for each pair: how low a target may be. Give ``ofd_margin`` of the teacher's
    batch normalisations for the reference's; by default they are the means of the teacher's negative values,
    measured as training goes (the paper's other way, which does not ask that a normalisation comes last). ``pairs``
    are ``(student layer, teacher layer)``; by default the deepest with the deepest and so on upwards. A trained 1 x
    1 convolution and batch normalisation bring the student's width to the teacher's.

    Published: weight 0.001 in mdistiller.

    Deviations: the reference code runs its teacher in training mode; here it is in evaluation mode. Axes that two
    layers do not share are averaged away.
    """

    needs = Needs(student=("preacts",), teacher=("preacts",))

    def __init__(
        self,
        student_shapes: Sequence[Shape],
        teacher_shapes: Sequence[Shape],
        margins: Sequence[Sequence[float]] | None = None,
        pairs: Sequence[tuple[int, int]] | None = None,
    ):
        super().__init__()
        self.pairs = paired(student_shapes, teacher_shapes, pairs)
        shapes = [
            (chosen("student", student_shapes, s), chosen("teacher", teacher_shapes, t))
            for s, t in self.pairs
        ]
        self.axes = [common_axes(s, t) for s, t in shapes]
        self.connectors = nn.ModuleList(
            _connector(len(axes), s[0], t[0]) for axes, (s, t) in zip(self.axes, shapes, strict=True)
        )
        self.margins = nn.ModuleList(Margin(t[0]) for _, t in shapes)
        self.is_measured = margins is None
        if margins is not None:
            self._set_margins(margins)

    @staticmethod
    def infer(student: Fields, teacher: Fields, data: DataSpec) -> dict[str, Any]:
        return shapes_of(student.preacts, teacher.preacts)

    def _set_margins(self, margins: Sequence[Sequence[float]]) -> None:
        asked, known = [len(m) for m in margins], [len(m.mean) for m in self.margins]
        if asked != known:
            raise ValueError(f"OFD's margins are one a teacher channel, {known} by pair; there is: {asked}")
        for margin, values in zip(self.margins, margins, strict=True):
            margin.mean.copy_(torch.as_tensor(values))

    def forward(self, student: Fields, teacher: Fields, batch: Fields) -> dict[str, Tensor]:
        guesses, targets, margins = [], [], []
        for i, (s, t) in enumerate(self.pairs):
            target = teacher.preacts[t].detach()
            guesses.append(self.connectors[i](pooled_to(student.preacts[s], self.axes[i])))
            targets.append(pooled_to(target, self.axes[i]))
            margins.append(self.margins[i](target) if self.is_measured else self.margins[i].mean)
        return {"loss_ofd": ofd_loss(guesses, targets, margins)}


def _connector(rank: int, student_channels: int, teacher_channels: int) -> nn.Module:
    if rank == 0:
        convolution: nn.Module = nn.Linear(student_channels, teacher_channels, bias=False)
    else:
        convolution = CONVOLUTIONS[rank](student_channels, teacher_channels, kernel_size=1, bias=False)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(convolution, AnyNorm(teacher_channels))
