"""Like What You Like: Knowledge Distill via Neuron Selectivity Transfer (Huang et al., arXiv 2017)."""

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from ..registry import DISTILLERS
from ..spec import DataSpec, Fields, Needs
from .base import Distiller
from .precision import precise, without_autocast
from .stages import Shape, matched, paired, positions_shared, shapes_of


def kernel_mean(first: Tensor, second: Tensor) -> Tensor:
    """The mean over clips and pairs of channels of ``(x . y)^2``, for channels ``(B, C, positions)``.

    One batched matrix product; the broadcast form would hold ``B x C x C' x positions`` numbers.

    >>> import torch
    >>> kernel_mean(torch.eye(2)[None], torch.eye(2)[None])
    tensor(0.5000)
    """
    with without_autocast(first):
        return (first @ second.mT).square().mean()


def nst_loss(student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
    """``sum_l k(S, S) + k(T, T) - 2 k(S, T)``, ``k`` the ``kernel_mean`` of two stages' channels ``(B, C, ...)``.

    The squared maximum mean discrepancy: a channel is its activations over positions at length one; the kernel is
    ``(x . y)^2``. The teacher's constant term is kept, so equal sets of channels give zero.

    >>> import torch
    >>> nst_loss([torch.eye(2)[None]], [torch.ones(1, 1, 2)])
    tensor(0.5000)
    """

    def channels(stage: Tensor) -> Tensor:
        return F.normalize(stage.flatten(2), dim=2)

    total = 0
    for pair in zip(student, teacher, strict=True):
        s, t = map(channels, matched(*precise(*pair)))
        total = total + kernel_mean(t, t) + kernel_mean(s, s) - 2 * kernel_mean(s, t)
    return total


@DISTILLERS.register_module()
class NST(Distiller):
    """Which positions excite the channels of paired stages.

    ``pairs`` are ``(student stage, teacher stage)``; by default the deepest with the deepest and so on upwards.

    Published: weight 50 in the reference code.

    Limits: stages that share one position only are refused; give ``pairs`` of others.

    Deviations: only the polynomial kernel of degree 2 without offset, the paper's best, is here. Axes that two
    stages do not share are averaged away.
    """

    needs = Needs(student=("stages",), teacher=("stages",))

    def __init__(
        self,
        student_shapes: Sequence[Shape],
        teacher_shapes: Sequence[Shape],
        pairs: Sequence[tuple[int, int]] | None = None,
    ):
        super().__init__()
        self.pairs = paired(student_shapes, teacher_shapes, pairs)
        positions_shared("NST", student_shapes, teacher_shapes, self.pairs)

    @staticmethod
    def infer(student: Fields, teacher: Fields, data: DataSpec) -> dict[str, Any]:
        return shapes_of(student.stages, teacher.stages)

    def forward(self, student: Fields, teacher: Fields, batch: Fields) -> dict[str, Tensor]:
        guesses = [student.stages[s] for s, _ in self.pairs]
        targets = [teacher.stages[t].detach() for _, t in self.pairs]
        return {"loss_nst": nst_loss(guesses, targets)}
