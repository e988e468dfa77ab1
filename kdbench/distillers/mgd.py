"""Masked Generative Distillation (Yang et al., ECCV 2022)."""

from collections.abc import Sequence
from typing import Any

import torch
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
    resampled,
    shapes_of,
)

MASKS = ("positions", "channels")


def mgd_loss(generated: Tensor, teacher: Tensor) -> Tensor:
    """``mean_b sum (generated - teacher)^2`` of stages ``(B, C, ...)`` of one shape, over channels and positions.

    >>> mgd_loss(torch.zeros(2, 3, 4), torch.ones(2, 3, 4))
    tensor(12.)
    """
    generated, teacher = precise(generated, teacher)
    return F.mse_loss(generated, teacher, reduction="sum") / len(teacher)


def random_mask(stage: Tensor, ratio: float, over: str = "positions") -> Tensor:
    """Zeros with probability ``ratio``, else ones: ``(B, 1, ...)`` over positions or ``(B, C, 1, ...)`` over channels.

    >>> random_mask(torch.zeros(2, 3, 8), 0.0)[0]
    tensor([[1., 1., 1., 1., 1., 1., 1., 1.]])
    """
    size, channels, *grid = stage.shape
    shape = (size, 1, *grid) if over == "positions" else (size, channels, *(1 for _ in grid))
    return (torch.rand(shape, device=stage.device) >= ratio).to(stage.dtype)


@DISTILLERS.register_module()
class MGD(Distiller):
    """The teacher's stage, by default the last, generated from the student's with random parts hidden.

    ``mask_ratio`` of the positions (``mask="positions"``) or of the channels (``mask="channels"``) is set to zero.
    ``alpha`` is a weight inside, small because the error is a sum. The generator (two convolutions of width 3) and
    the 1 x 1 convolution to the teacher's channels are trained with the student and not used in tests. The
    student's grid is averaged or interpolated to the teacher's.

    Published: weight 1 with ``alpha`` 7e-5 and ``mask_ratio`` 0.5 for ImageNet; channels with ratio 0.15 in the
    authors' code for classification.

    Limits: vectors have nothing to generate from and are refused; give ``stage`` and ``teacher_stage`` of maps.

    Deviations: axes that the two stages do not share are averaged away.
    """

    needs = Needs(student=("stages",), teacher=("stages",))

    def __init__(
        self,
        student_shapes: Sequence[Shape],
        teacher_shapes: Sequence[Shape],
        stage: int = -1,
        teacher_stage: int | None = None,
        alpha: float = 7e-5,
        mask_ratio: float = 0.5,
        mask: str = "positions",
    ):
        super().__init__()
        self.stage, self.teacher_stage = stage, stage if teacher_stage is None else teacher_stage
        student = chosen("student", student_shapes, self.stage)
        teacher = chosen("teacher", teacher_shapes, self.teacher_stage)
        self.alpha, self.mask_ratio, self.mask = alpha, mask_ratio, mask
        self.axes = common_axes(student, teacher)
        self._check(student, teacher)
        convolution = CONVOLUTIONS[len(self.axes)]
        self.align = convolution(student[0], teacher[0], 1) if student[0] != teacher[0] else nn.Identity()
        self.generate = nn.Sequential(
            convolution(teacher[0], teacher[0], 3, padding=1),
            nn.ReLU(),
            convolution(teacher[0], teacher[0], 3, padding=1),
        )

    def _check(self, student: Shape, teacher: Shape) -> None:
        if self.mask not in MASKS:
            raise ValueError(f"mask='{self.mask}' is unknown; there is: {', '.join(MASKS)}")
        if not 0 <= self.mask_ratio < 1:
            raise ValueError(f"mask_ratio={self.mask_ratio} hides no share of a stage; it lies in [0, 1)")
        if not self.axes:
            raise ValueError(
                f"MGD generates maps; the student's stage {student} and the teacher's {teacher} share no axis; "
                "give stage=... and teacher_stage=... of others"
            )

    @staticmethod
    def infer(student: Fields, teacher: Fields, data: DataSpec) -> dict[str, Any]:
        return shapes_of(student.stages, teacher.stages)

    def forward(self, student: Fields, teacher: Fields, batch: Fields) -> dict[str, Tensor]:
        target = pooled_to(teacher.stages[self.teacher_stage].detach(), self.axes)
        seen = resampled(self.align(pooled_to(student.stages[self.stage], self.axes)), target.shape[2:])
        generated = self.generate(seen * random_mask(seen, self.mask_ratio, self.mask))
        return {"loss_mgd": self.alpha * mgd_loss(generated, target)}
