"""FitNets: Hints for Thin Deep Nets (Romero et al., ICLR 2015)."""

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from ..registry import DISTILLERS
from ..spec import DataSpec, Fields, Needs
from .base import Distiller
from .precision import precise
from .stages import Regressor, Shape, chosen, pooled_to, shapes_of


def hint_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """``mean (student - teacher)^2`` of stages that have the same shape, ``(B, C)`` or ``(B, C, ...)``.

    >>> import torch
    >>> hint_loss(torch.zeros(2, 3), torch.ones(2, 3))
    tensor(1.)
    """
    return F.mse_loss(*precise(student, teacher))


@DISTILLERS.register_module()
class FitNet(Distiller):
    """Regression from a stage of the student to the same stage of the teacher.

    ``student_shapes`` and ``teacher_shapes`` are those of all stages without the batch; ``stage`` says which one is
    the hint, ``teacher_stage`` which one of the teacher's if that is another. The regressor (see ``Regressor``) is
    trained with the student and not used in tests. ``relu=False`` drops its last ReLU, for a teacher whose stage
    has negative values.

    Published: weight 100 (the reference code's), a hint in the middle of the network (``stage=1`` of three).

    Deviations: training is in one phase; the paper trains the lower half first. The default hint is the last stage,
    since networks of two modalities share the most there. Axes that the two stages do not share are averaged away.
    """

    needs = Needs(student=("stages",), teacher=("stages",))

    def __init__(
        self,
        student_shapes: Sequence[Shape],
        teacher_shapes: Sequence[Shape],
        stage: int = -1,
        teacher_stage: int | None = None,
        relu: bool = True,
    ):
        super().__init__()
        self.stage, self.teacher_stage = stage, stage if teacher_stage is None else teacher_stage
        student = chosen("student", student_shapes, self.stage)
        teacher = chosen("teacher", teacher_shapes, self.teacher_stage)
        self.regressor = Regressor(student, teacher, relu=relu)

    @staticmethod
    def infer(student: Fields, teacher: Fields, data: DataSpec) -> dict[str, Any]:
        return shapes_of(student.stages, teacher.stages)

    def forward(self, student: Fields, teacher: Fields, batch: Fields) -> dict[str, Tensor]:
        target = pooled_to(teacher.stages[self.teacher_stage].detach(), self.regressor.axes)
        guess = self.regressor(student.stages[self.stage], grid=target.shape[2:])
        return {"loss_fitnet": hint_loss(guess, target)}
