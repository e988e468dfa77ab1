"""Knowledge Transfer via Distillation of Activation Boundaries Formed by Hidden Neurons (Heo et al., AAAI 2019)."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..registry import DISTILLERS
from ..spec import DataSpec, Fields, Needs
from .base import Distiller
from .precision import precise
from .stages import Regressor, Shape, chosen, paired, pooled_to, shapes_of

SCALE = 3 / 1000  # of the reference code


def boundary_loss(student: Tensor, teacher: Tensor, margin: float = 1.0) -> Tensor:
    """Squared distance of the student to ``margin`` beyond zero on the teacher's side; a sum divided by the batch size.

    Both are pre-activations of one shape ``(B, ...)``. Beyond the margin there is no loss: only the side matters.

    >>> boundary_loss(torch.tensor([[0.5, 2.0, 2.0]]), torch.tensor([[3.0, 3.0, -3.0]]))
    tensor(9.2500)
    """
    student, teacher = precise(student, teacher)
    side = torch.where(teacher > 0, 1.0, -1.0).to(student.dtype)
    return (margin - side * student).relu().square().sum() / len(student)


def ab_loss(student: Sequence[Tensor], teacher: Sequence[Tensor], margin: float = 1.0) -> Tensor:
    """``0.003 * sum_i 2^(i - L + 1) * boundary_loss_i`` over the ``L`` pairs, from shallow to deep.

    >>> ab_loss([torch.zeros(1, 2)], [torch.ones(1, 2)])
    tensor(0.0060)
    """
    each = [boundary_loss(s, t, margin) for s, t in zip(student, teacher, strict=True)]
    return SCALE * sum(2.0 ** (i - len(each) + 1) * loss for i, loss in enumerate(each))


@DISTILLERS.register_module()
class AB(Distiller):
    """On which side of zero the teacher's pre-activations lie; ``margin`` is how far beyond it the student must go.

    The paper starts a network with it and then trains with labels only. That is two rows: one with
    ``task_weight=0`` and this distiller, and one without a distiller that ``starts_from`` the first (its student's
    ``weights``). In one row it works beside the task's loss.

    ``pairs`` are ``(student layer, teacher layer)``; by default the deepest with the deepest and so on upwards.
    Where shapes differ, a trained ``Regressor`` without ReLU (convolution and batch normalisation) comes between.

    Published: ``margin`` 1, weight 1 without the task's loss for 30 epochs.

    Deviations: axes that two layers do not share are averaged away.
    """

    needs = Needs(student=("preacts",), teacher=("preacts",))

    def __init__(
        self,
        student_shapes: Sequence[Shape],
        teacher_shapes: Sequence[Shape],
        margin: float = 1.0,
        pairs: Sequence[tuple[int, int]] | None = None,
    ):
        super().__init__()
        if margin < 0:
            raise ValueError(f"AB's margin is a distance, 0 or more; there is: margin={margin}")
        self.margin, self.pairs = margin, paired(student_shapes, teacher_shapes, pairs)
        shapes = [
            (chosen("student", student_shapes, s), chosen("teacher", teacher_shapes, t))
            for s, t in self.pairs
        ]
        self.connectors = nn.ModuleList(
            nn.Identity() if s == t else Regressor(s, t, relu=False) for s, t in shapes
        )

    @staticmethod
    def infer(student: Fields, teacher: Fields, data: DataSpec) -> dict[str, Any]:
        return shapes_of(student.preacts, teacher.preacts)

    def forward(self, student: Fields, teacher: Fields, batch: Fields) -> dict[str, Tensor]:
        guesses, targets = [], []
        for connector, (s, t) in zip(self.connectors, self.pairs, strict=True):
            guess, target = student.preacts[s], teacher.preacts[t].detach()
            if isinstance(connector, Regressor):
                target = pooled_to(target, connector.axes)
                guess = connector(guess, grid=target.shape[2:])
            guesses.append(guess)
            targets.append(target)
        return {"loss_ab": ab_loss(guesses, targets, self.margin)}
