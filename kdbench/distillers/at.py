"""Paying More Attention to Attention, via Attention Transfer (Zagoruyko et al., ICLR 2017)."""

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from ..registry import DISTILLERS
from ..spec import DataSpec, Fields, Needs
from .base import Distiller
from .precision import precise
from .stages import Shape, matched, paired, positions_shared, shapes_of


def attention_map(stage: Tensor, p: float = 2) -> Tensor:
    """Where a stage ``(B, C, ...)`` is active: ``mean_c F_c^p`` over its own length, ``(B, positions)``.

    >>> import torch
    >>> attention_map(torch.tensor([[[1.0, 1.0], [1.0, 0.0]]]), p=2)
    tensor([[0.8944, 0.4472]])
    """
    powers = stage if p == 1 else stage.pow(p)
    # The sum has the mean's direction and is one pass less; of a single channel there is nothing to add up.
    energy = powers.sum(1) if stage.shape[1] > 1 else powers.squeeze(1)
    return F.normalize(energy.flatten(1), dim=1)


def at_loss(student: Sequence[Tensor], teacher: Sequence[Tensor], p: float = 2) -> Tensor:
    """``sum_l mean (a(S_l) - a(T_l))^2`` over pairs of stages ``(B, C, ...)``; ``a`` is ``attention_map``.

    Stages may have any widths; grids are matched by averaging the larger. The mean is over clips and positions.

    >>> import torch
    >>> at_loss([torch.tensor([[[3.0, 0.0]]])], [torch.tensor([[[0.0, 1.0]]])])
    tensor(1.)
    """
    pairs = (matched(*precise(s, t)) for s, t in zip(student, teacher, strict=True))
    return sum(F.mse_loss(attention_map(s, p), attention_map(t, p)) for s, t in pairs)


@DISTILLERS.register_module()
class AT(Distiller):
    """Attention maps of paired stages; ``p`` is the power of the activations.

    ``pairs`` are ``(student stage, teacher stage)``; by default the deepest with the deepest and so on upwards.
    Positions are whatever is behind ``(B, C)`` and shared: frames, pixels or both.

    Published: weight 1000, ``p`` 2.

    Limits: stages that share one position only have no attention to compare and are refused; give ``pairs`` of
    others.

    Deviations: the paper halves the weight (beta / 2); here as in the reference code it is not, and the mean is
    over clips and positions. Axes that two stages do not share are averaged away.
    """

    needs = Needs(student=("stages",), teacher=("stages",))

    def __init__(
        self,
        student_shapes: Sequence[Shape],
        teacher_shapes: Sequence[Shape],
        p: float = 2,
        pairs: Sequence[tuple[int, int]] | None = None,
    ):
        super().__init__()
        self.p, self.pairs = p, paired(student_shapes, teacher_shapes, pairs)
        positions_shared("AT", student_shapes, teacher_shapes, self.pairs)

    @staticmethod
    def infer(student: Fields, teacher: Fields, data: DataSpec) -> dict[str, Any]:
        return shapes_of(student.stages, teacher.stages)

    def forward(self, student: Fields, teacher: Fields, batch: Fields) -> dict[str, Tensor]:
        guesses = [student.stages[s] for s, _ in self.pairs]
        targets = [teacher.stages[t].detach() for _, t in self.pairs]
        return {"loss_at": at_loss(guesses, targets, self.p)}
