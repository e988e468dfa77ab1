"""Exploring Inter-Channel Correlation for Diversity-preserved Knowledge Distillation (Liu et al., ICCV 2021)."""

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from ..registry import DISTILLERS
from ..spec import DataSpec, Fields, Needs
from .base import Distiller
from .norm import AnyNorm
from .precision import precise, without_autocast
from .stages import Shape, chosen, shapes_of


def channel_correlations(stage: Tensor) -> Tensor:
    """Inner products of the channels of each clip ``(B, C, C)``, rows in unit length; the stage is ``(B, C, ...)``."""
    channels = stage.reshape(*stage.shape[:2], -1)
    with without_autocast(stage):
        return F.normalize(channels @ channels.transpose(1, 2), dim=2)


def ickd_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """``mean_b,c sum_d (G_S - G_T)^2`` of the channels' correlations ``G_cd`` (``channel_correlations``).

    Stages are ``(B, C, ...)`` with equally many channels; their grids may differ, even in rank.

    >>> import torch
    >>> ickd_loss(torch.eye(3)[None], torch.ones(1, 3, 5))
    tensor(0.8453)
    """
    student, teacher = precise(student, teacher)
    return (channel_correlations(student) - channel_correlations(teacher)).square().sum(2).mean()


@DISTILLERS.register_module()
class ICKD(Distiller):
    """Correlations between channels of a stage, by default the last.

    The student's stage gets the teacher's number of channels by a 1 x 1 convolution and batch normalisation,
    trained with it and not used in tests.

    Published: weight 2.5 in the reference code for images.

    Deviations: this is the form for classification; the grid-level form for dense prediction is left out.
    """

    needs = Needs(student=("stages",), teacher=("stages",))

    def __init__(
        self,
        student_shapes: Sequence[Shape],
        teacher_shapes: Sequence[Shape],
        stage: int = -1,
        teacher_stage: int | None = None,
    ):
        super().__init__()
        self.stage, self.teacher_stage = stage, stage if teacher_stage is None else teacher_stage
        student = chosen("student", student_shapes, self.stage)
        teacher = chosen("teacher", teacher_shapes, self.teacher_stage)
        # All positions stand in one row, so that the convolution is one over sequences whatever the stage's rank.
        self.embed = nn.Sequential(nn.Conv1d(student[0], teacher[0], 1, bias=False), AnyNorm(teacher[0]))

    @staticmethod
    def infer(student: Fields, teacher: Fields, data: DataSpec) -> dict[str, Any]:
        return shapes_of(student.stages, teacher.stages)

    def forward(self, student: Fields, teacher: Fields, batch: Fields) -> dict[str, Tensor]:
        stage = student.stages[self.stage]
        embedded = self.embed(stage.reshape(*stage.shape[:2], -1))
        return {"loss_ickd": ickd_loss(embedded, teacher.stages[self.teacher_stage].detach())}
