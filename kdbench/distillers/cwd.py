"""Channel-wise Knowledge Distillation for Dense Prediction (Shu et al., ICCV 2021)."""

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from ..registry import DISTILLERS
from ..spec import DataSpec, Fields, Needs
from .base import Distiller
from .precision import precise
from .stages import (
    CONVOLUTIONS,
    Shape,
    chosen,
    common_axes,
    pooled_to,
    positions_shared,
    resampled,
    shapes_of,
)
from .temperature import checked_temperature


def cwd_loss(student: Tensor, teacher: Tensor, tau: float = 4.0) -> Tensor:
    """``tau^2 * KL(teacher || student)`` of each channel's softmax over positions; mean over clips and channels.

    Stages are ``(B, C, ...)`` of one shape.

    >>> import torch
    >>> cwd_loss(torch.eye(3)[None], 2 * torch.eye(3)[None], tau=1.0)
    tensor(0.0989)
    """
    student, teacher = (stage.flatten(2) / tau for stage in precise(student, teacher))
    each = F.kl_div(student.log_softmax(2), teacher.log_softmax(2), reduction="none", log_target=True)
    return tau**2 * each.sum(2).mean()


@DISTILLERS.register_module()
class CWD(Distiller):
    """Where each channel of a stage, by default the last, is active.

    ``tau`` is the temperature. The student's stage gets the teacher's channels by a 1 x 1 convolution, trained with
    it and not used in tests, if their numbers differ, and the teacher's grid by averaging or interpolation.

    Published: weight 50 for stages (3 for maps of logits), ``tau`` 4, in semantic segmentation.

    Limits: stages that share one position only are refused; give ``stage`` and ``teacher_stage`` of others.

    Deviations: axes that the two stages do not share are averaged away.
    """

    needs = Needs(student=("stages",), teacher=("stages",))

    def __init__(
        self,
        student_shapes: Sequence[Shape],
        teacher_shapes: Sequence[Shape],
        stage: int = -1,
        teacher_stage: int | None = None,
        tau: float = 4.0,
    ):
        super().__init__()
        self.stage, self.teacher_stage = stage, stage if teacher_stage is None else teacher_stage
        student = chosen("student", student_shapes, self.stage)
        teacher = chosen("teacher", teacher_shapes, self.teacher_stage)
        positions_shared(
            "CWD",
            student_shapes,
            teacher_shapes,
            [(self.stage, self.teacher_stage)],
            remedy="stage=... and teacher_stage=... of others",
        )
        self.tau, self.axes = checked_temperature(tau), common_axes(student, teacher)
        self.align: nn.Module = nn.Identity()
        if student[0] != teacher[0]:
            self.align = CONVOLUTIONS[len(self.axes)](student[0], teacher[0], 1)

    @staticmethod
    def infer(student: Fields, teacher: Fields, data: DataSpec) -> dict[str, Any]:
        return shapes_of(student.stages, teacher.stages)

    def forward(self, student: Fields, teacher: Fields, batch: Fields) -> dict[str, Tensor]:
        target = pooled_to(teacher.stages[self.teacher_stage].detach(), self.axes)
        guess = self.align(pooled_to(student.stages[self.stage], self.axes))
        return {"loss_cwd": cwd_loss(resampled(guess, target.shape[2:]), target, self.tau)}
