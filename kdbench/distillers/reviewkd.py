"""Distilling Knowledge via Knowledge Review (Chen et al., CVPR 2021)."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
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

LEVELS = (4, 2, 1)  # positions along each axis of the pooled stages
MAX_WIDTH = 512  # of the fusion inside


def hcl_loss(students: Sequence[Tensor], teachers: Sequence[Tensor]) -> Tensor:
    """``sum_l sum_h w_h mean (a_h(S_l) - a_h(T_l))^2 / sum_h w_h``, ``a_h`` the average to 4, 2, 1 positions an axis.

    The hierarchical context loss; ``h`` runs over the whole stage and the levels. Stages are ``(B, C, ...)``, each
    pair of one shape; ``w`` is 1, 1/2, 1/4, 1/8. A level that is not below the first axis's size is left out and
    does not halve the weight of the next.

    >>> hcl_loss([torch.zeros(2, 3, 8, 8)], [torch.ones(2, 3, 8, 8)])
    tensor(1.)
    """
    losses = []
    for student, teacher in zip(students, teachers, strict=True):
        student, teacher = precise(student, teacher)
        errors, rank = [F.mse_loss(student, teacher)], student.dim() - 2
        for level in LEVELS:
            if rank and level < student.shape[2]:
                small = (averaged_to(stage, (level,) * rank) for stage in (student, teacher))
                errors.append(F.mse_loss(*small))
        weights = [0.5**i for i in range(len(errors))]
        losses.append(sum(w * error for w, error in zip(weights, errors, strict=True)) / sum(weights))
    return sum(losses)


class Fusion(nn.Module):
    """Attention-based fusion of a student's stage with what the deeper stages gave.

    ``forward`` gives the guess of the teacher's stage and the fused residual, ``(B, width, ...)``, for the next
    shallower stage. ``is_deepest`` says that there is nothing to fuse with.
    """

    def __init__(self, channels: int, teacher_channels: int, width: int, rank: int, is_deepest: bool):
        super().__init__()
        convolution = CONVOLUTIONS[rank]
        self.squeeze = nn.Sequential(convolution(channels, width, 1, bias=False), AnyNorm(width))
        self.attend = None if is_deepest else nn.Sequential(convolution(2 * width, 2, 1), nn.Sigmoid())
        self.expand = nn.Sequential(
            convolution(width, teacher_channels, 3, padding=1, bias=False), AnyNorm(teacher_channels)
        )

    def forward(self, stage: Tensor, deeper: Tensor | None, grid: Sequence[int]) -> tuple[Tensor, Tensor]:
        fused = self.squeeze(stage)
        if self.attend is not None:
            deeper = _enlarged(deeper, fused.shape[2:])
            own, other = self.attend(torch.cat([fused, deeper], 1)).split(1, 1)
            fused = own * fused + other * deeper
        fused = _enlarged(fused, grid)
        return self.expand(fused), fused


def _enlarged(stage: Tensor, grid: Sequence[int]) -> Tensor:
    """``(B, C, *grid)`` by the nearest neighbours, as in the reference, whichever grid is larger."""
    return (
        stage if tuple(stage.shape[2:]) == tuple(grid) else F.interpolate(stage, tuple(grid), mode="nearest")
    )


@DISTILLERS.register_module()
class ReviewKD(Distiller):
    """Each stage of the teacher guessed from all of the student's stages that are as deep or deeper.

    ``student_shapes`` and ``teacher_shapes`` are those of all stages and of the embedding, which counts as the
    deepest stage (it is left out where a network's stages are of single views, its embedding of all). ``pairs``
    says which stage goes with which, by default the deepest with the deepest and so on up. ``max_width`` bounds the
    width inside, which is otherwise that of the student's deepest stage. The fusions are trained with the student
    and not used in tests.

    Published: ``max_width`` 512, a warm-up of the weight over 20 epochs, weights by pair: 5 (wrn_40_2 to wrn_16_2,
    resnet32x4 to resnet8x4 or shuffle_v1), 8 (to shuffle_v2), 0.6 (resnet56 to resnet20), 1 (resnet110 to
    resnet32).

    Deviations: stages are read after their activation, since not every network has the sum before it; axes that not
    all stages share are averaged away.
    """

    needs = Needs(student=("stages", "embedding"), teacher=("stages", "embedding"))

    def __init__(
        self,
        student_shapes: Sequence[Shape],
        teacher_shapes: Sequence[Shape],
        pairs: Sequence[tuple[int, int]] | None = None,
        max_width: int = MAX_WIDTH,
    ):
        super().__init__()
        pairs = paired(student_shapes, teacher_shapes, pairs)
        self.pairs = sorted(pairs, key=lambda pair: pair[0] % len(student_shapes), reverse=True)
        shapes = [
            (chosen("student", student_shapes, s), chosen("teacher", teacher_shapes, t))
            for s, t in self.pairs
        ]
        self.axes = _axes_of_all(shapes)
        width = min(max_width, shapes[0][0][0])
        self.fusions = nn.ModuleList(
            Fusion(student[0], teacher[0], width, max(len(self.axes), 1), is_deepest=i == 0)
            for i, (student, teacher) in enumerate(shapes)
        )

    @staticmethod
    def infer(student: Fields, teacher: Fields, data: DataSpec) -> dict[str, Any]:
        return shapes_of(*_reviewed(student, teacher))

    def forward(self, student: Fields, teacher: Fields, batch: Fields) -> dict[str, Tensor]:
        from_student, from_teacher = _reviewed(student, teacher)
        guesses, targets, residual = [], [], None
        for fusion, (s, t) in zip(self.fusions, self.pairs, strict=True):
            target = self._on_axes(from_teacher[t].detach())
            guess, residual = fusion(self._on_axes(from_student[s]), residual, target.shape[2:])
            guesses.append(guess)
            targets.append(target)
        return {"loss_reviewkd": hcl_loss(guesses, targets)}

    def _on_axes(self, stage: Tensor) -> Tensor:
        """The stage on the shared axes; a vector has one position on each."""
        stage = pooled_to(stage, self.axes)
        return stage if stage.dim() > 2 else stage[(..., *(None,) * max(len(self.axes), 1))]


def _reviewed(student: Fields, teacher: Fields) -> list[list[Tensor]]:
    """The stages of both, and their embeddings where these are of the same clips (and not of several views each)."""
    stages, embeddings = (
        [list(fields.stages) for fields in (student, teacher)],
        (student.embedding, teacher.embedding),
    )
    if all(len(maps[-1]) == len(embedding) for maps, embedding in zip(stages, embeddings, strict=True)):
        return [[*maps, x.flatten(1)] for maps, x in zip(stages, embeddings, strict=True)]
    return stages


def _axes_of_all(shapes: Sequence[tuple[Shape, Shape]]) -> str:
    """The axes that all stages share; vectors have a place on any axis and do not count."""
    maps = [shape for pair in shapes for shape in pair if len(shape) > 1]
    axes = common_axes(maps[0], maps[0]) if maps else ""
    for shape in maps:
        axes = "".join(axis for axis in axes if axis in common_axes(shape, shape))
    return axes
