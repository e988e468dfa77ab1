"""Knowledge Distillation with the Reused Teacher Classifier (Chen et al., CVPR 2022)."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..registry import DISTILLERS
from ..spec import DataSpec, Fields, Needs
from .base import Distiller
from .heads import POOLINGS, pooled_width, pooling_of
from .norm import AnyNorm
from .precision import precise
from .stages import CONVOLUTIONS, Shape, averaged_to, chosen, common_axes, matched, pooled_to, shapes_of


def simkd_loss(projected: Tensor, teacher: Tensor) -> Tensor:
    """``mean (projected - teacher)^2`` of stages ``(B, C, ...)`` of as many channels, the larger grid averaged down.

    >>> simkd_loss(torch.zeros(2, 3, 4, 4), torch.ones(2, 3, 2, 2))
    tensor(1.)
    """
    return F.mse_loss(*matched(*precise(projected, teacher)))


def projector(student_channels: int, teacher_channels: int, rank: int, factor: int) -> nn.Sequential:
    """1 x 1 to ``teacher_channels / factor``, 3 x 3, 1 x 1 to ``teacher_channels``, each normalised, with ReLU."""
    # A vector is a sequence of one position.
    convolution, width = CONVOLUTIONS[max(rank, 1)], max(teacher_channels // factor, 1)
    sizes = ((student_channels, width, 1), (width, width, 3), (width, teacher_channels, 1))
    layers = [
        (convolution(before, after, kernel, padding=kernel // 2, bias=False), AnyNorm(after), nn.ReLU())
        for before, after, kernel in sizes
    ]
    return nn.Sequential(*(module for layer in layers for module in layer))


@DISTILLERS.register_module()
class SimKD(Distiller):
    """The student's last stage learns to be the teacher's, whose last linear layer then classifies it, also in tests.

    The shapes are those of all stages; ``num_classes`` and ``pooling`` (how the teacher's embedding comes from its
    last stage, ``"mean"`` or ``"mean_max"``) are found from the models. ``factor`` divides the width inside the
    projector. The teacher's layer is copied (``borrow``), stays as it is and is saved with the projector.

    Published: weight 1 without any task loss (``task_weight=0``); ``factor`` 2, 4 or 8.

    Limits: the teacher must end in the mean (or mean and maximum) of its last stage and one linear layer; take such
    a network, or tap the map that it pools as its last stage. Its stage must not be negative, because the projector
    ends in a ReLU, as published.

    Deviations: teachers that pool mean and maximum are ours (the paper knows mean pooling); axes that the two stages
    do not share are averaged away.
    """

    needs = Needs(student=("stages",), teacher=("stages", "embedding"), heads=("teacher",))

    def __init__(
        self,
        student_shapes: Sequence[Shape],
        teacher_shapes: Sequence[Shape],
        num_classes: int,
        pooling: str = "mean",
        factor: int = 2,
    ):
        super().__init__()
        student, teacher = chosen("student", student_shapes, -1), chosen("teacher", teacher_shapes, -1)
        self.pooling, self.axes = pooling, common_axes(student, teacher)
        self.grid = tuple(matched(torch.zeros(1, *student), torch.zeros(1, *teacher))[0].shape[2:])
        self.project = projector(student[0], teacher[0], len(self.axes), factor)
        width = pooled_width(teacher, pooling)
        self.register_buffer("head_weight", torch.zeros(num_classes, width))
        self.register_buffer("head_bias", torch.zeros(num_classes))

    @staticmethod
    def infer(student: Fields, teacher: Fields, data: DataSpec) -> dict[str, Any]:
        return {
            **shapes_of(student.stages, teacher.stages),
            "num_classes": data.num_classes,
            "pooling": pooling_of("SimKD", "teacher", teacher.stages[-1], teacher.embedding),
        }

    @torch.no_grad()
    def borrow(self, teacher: nn.Linear) -> None:
        if teacher.weight.shape != self.head_weight.shape:
            raise ValueError(
                f"SimKD wants a last linear layer {tuple(self.head_weight.shape)} of the teacher; "
                f"it is {tuple(teacher.weight.shape)}"
            )
        self.head_weight.copy_(teacher.weight)
        if teacher.bias is not None:
            self.head_bias.copy_(teacher.bias)

    def projected(self, student: Fields) -> Tensor:
        """The student's last stage as the teacher's: ``(B, C teacher, ...)``, on the smaller of the two grids."""
        stage = pooled_to(student.stages[-1], self.axes)
        if not self.axes:
            return self.project(stage[..., None])[..., 0]
        return self.project(averaged_to(stage, self.grid))

    def predict(self, student: Fields) -> Tensor:
        pooled = POOLINGS[self.pooling](self.projected(student))
        return F.linear(pooled, self.head_weight, self.head_bias)

    def forward(self, student: Fields, teacher: Fields, batch: Fields) -> dict[str, Tensor]:
        return {"loss_simkd": simkd_loss(self.projected(student), teacher.stages[-1].detach())}
