"""Stages of two networks side by side: their axes and grids, and the regressor from one to the other."""

import math
from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from .norm import AnyNorm

Shape = tuple[int, ...]

# What the axes behind (B, C) are, by their number: a vector, a sequence, an image, a video.
AXES = {0: "", 1: "T", 2: "HW", 3: "THW"}
CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
POOLS = {1: F.adaptive_avg_pool1d, 2: F.adaptive_avg_pool2d, 3: F.adaptive_avg_pool3d}
INTERPOLATIONS = {1: "linear", 2: "bilinear", 3: "trilinear"}


def pooled_to(stage: Tensor, axes: str) -> Tensor:
    """Average away the axes that are not in ``axes`` (of ``T``, ``H``, ``W``).

    >>> import torch
    >>> pooled_to(torch.zeros(2, 5, 8, 4, 4), "T").shape
    torch.Size([2, 5, 8])
    """
    away = [i + 2 for i, axis in enumerate(AXES[stage.dim() - 2]) if axis not in axes]
    return stage.mean(away) if away else stage


def resampled(stage: Tensor, grid: Sequence[int]) -> Tensor:
    """Average shrinking axes, interpolate growing ones, so that ``stage`` is ``(B, C, *grid)``.

    >>> import torch
    >>> resampled(torch.zeros(2, 5, 8, 3), (4, 6)).shape
    torch.Size([2, 5, 4, 6])
    """
    grid, rank = tuple(grid), len(grid)
    smaller = tuple(min(sizes) for sizes in zip(stage.shape[2:], grid, strict=True))
    if smaller != stage.shape[2:]:
        stage = POOLS[rank](stage, smaller)
    if grid != smaller:
        stage = F.interpolate(stage, grid, mode=INTERPOLATIONS[rank], align_corners=False)
    return stage


def common_axes(student: Shape, teacher: Shape) -> str:
    """The axes that two stages ``(C, ...)`` share: time and space for videos, time for a video and a sequence."""
    return "".join(axis for axis in AXES[len(teacher) - 1] if axis in AXES[len(student) - 1])


def _connection(student_channels: int, teacher_channels: int, student: Shape, teacher: Shape) -> nn.Module:
    """The reference's convolution where grids are equal, twice or half as fine; 1 x 1 before a resampling otherwise."""
    rank, pairs = len(student), list(zip(student, teacher, strict=True))
    if rank == 0:
        return nn.Linear(student_channels, teacher_channels)
    halves, doubles = [s == 2 * t for s, t in pairs], [2 * s == t for s, t in pairs]
    if any(doubles) and all(same or up for same, up in zip((s == t for s, t in pairs), doubles, strict=True)):
        return TRANSPOSED[rank](
            student_channels,
            teacher_channels,
            kernel_size=[4 if up else 1 for up in doubles],
            stride=[2 if up else 1 for up in doubles],
            padding=[1 if up else 0 for up in doubles],
        )
    halving = all(s == t or half for (s, t), half in zip(pairs, halves, strict=True))
    halves = [half and halving for half in halves]
    return CONVOLUTIONS[rank](
        student_channels,
        teacher_channels,
        kernel_size=[3 if half else 1 for half in halves],
        stride=[2 if half else 1 for half in halves],
        padding=[1 if half else 0 for half in halves],
    )


class Regressor(nn.Module):
    """A student's stage ``(B, C, ...)`` in the teacher's width and grid.

    Stages are vectors ``(C,)``, sequences ``(C, T)``, images ``(C, H, W)`` or videos ``(C, T, H, W)``; the shapes leave
    the batch out. Axes that the two do not share are averaged away. On shared axes this is the reference's regressor
    (convolution, batch normalisation, ReLU; strided where the student's grid is twice as fine, transposed where it is
    half as fine); any other ratio is a 1 x 1 convolution followed by averaging or interpolation.
    """

    def __init__(self, student: Shape, teacher: Shape, relu: bool = True):
        super().__init__()
        self.axes = common_axes(student, teacher)
        student_grid, teacher_grid = (shared_sizes(shape, self.axes) for shape in (student, teacher))
        self.connection = _connection(student[0], teacher[0], student_grid, teacher_grid)
        self.norm = AnyNorm(teacher[0])
        self.activation = nn.ReLU() if relu else nn.Identity()

    def forward(self, stage: Tensor, grid: Sequence[int]) -> Tensor:
        hidden = self.activation(self.norm(self.connection(pooled_to(stage, self.axes))))
        return resampled(hidden, grid) if self.axes else hidden


def chosen(role: str, shapes: Sequence[Shape], stage: int) -> Shape:
    """The shape of one stage, or a ``ValueError`` that says what is wrong with asking for it."""
    if not -len(shapes) <= stage < len(shapes):
        raise ValueError(f"the {role} has no stage {stage}; there is: {len(shapes)} stages")
    shape = tuple(shapes[stage])
    if len(shape) - 1 not in AXES:
        raise ValueError(f"a stage is (C), (C, T), (C, H, W) or (C, T, H, W); the {role}'s is {shape}")
    return shape


def shapes_of(student: Sequence[Tensor], teacher: Sequence[Tensor]) -> dict[str, list[Shape]]:
    """The shapes of all stages without the batch, as the constructors of the methods on stages take them.

    Where one network folds its views into the batch and the other does not, that is a ``ValueError``.
    """
    maps = [sorted({len(stage) for stage in stages}) for stages in (student, teacher)]
    if maps[0] != maps[1]:
        of_student, of_teacher = (" or ".join(map(str, sizes)) for sizes in maps)
        raise ValueError(
            f"for one batch the student's stages hold {of_student} maps and the teacher's {of_teacher}: views are "
            "folded into the batch by one and not by the other; take networks that fold the same views, or a method on "
            "logits or embeddings"
        )
    return {
        "student_shapes": [tuple(stage.shape[1:]) for stage in student],
        "teacher_shapes": [tuple(stage.shape[1:]) for stage in teacher],
    }


def paired(
    student: Sequence[Shape], teacher: Sequence[Shape], pairs: Sequence[tuple[int, int]] | None = None
) -> list[tuple[int, int]]:
    """Which stage of the student goes with which of the teacher: ``pairs``, or the deepest with the deepest and so on.

    >>> paired([(4, 8), (8, 4)], [(4, 8), (8, 8), (16, 4)])
    [(-2, -2), (-1, -1)]
    """
    if pairs is None:
        count = min(len(student), len(teacher))
        pairs = [(i, i) for i in range(-count, 0)]
    for student_stage, teacher_stage in pairs:
        chosen("student", student, student_stage)
        chosen("teacher", teacher, teacher_stage)
    if not pairs:
        raise ValueError("at least one pair of stages is compared; there is: none")
    return [(s, t) for s, t in pairs]


def matched(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    """Two stages ``(B, C, ...)`` on one grid: axes not shared are averaged away, the larger grid is averaged down.

    The larger one is that with the greater first axis that differs, and it is brought to the other's grid. For images
    this is the references' rule, which compares heights. Averaging windows overlap where sizes do not divide.

    >>> import torch
    >>> [x.shape[2:] for x in matched(torch.zeros(2, 5, 8, 8), torch.zeros(2, 3, 3, 3))]
    [torch.Size([3, 3]), torch.Size([3, 3])]
    """
    axes = common_axes(tuple(student.shape[1:]), tuple(teacher.shape[1:]))
    student, teacher = pooled_to(student, axes), pooled_to(teacher, axes)
    student_grid, teacher_grid = tuple(student.shape[2:]), tuple(teacher.shape[2:])
    if student_grid > teacher_grid:
        student = averaged_to(student, teacher_grid)
    elif student_grid < teacher_grid:
        teacher = averaged_to(teacher, student_grid)
    return student, teacher


def averaged_to(stage: Tensor, grid: Sequence[int]) -> Tensor:
    """``(B, C, *grid)`` by adaptive average pooling, which repeats values where an axis grows."""
    return POOLS[len(grid)](stage, tuple(grid)) if tuple(stage.shape[2:]) != tuple(grid) else stage


def positions_shared(
    method: str,
    student: Sequence[Shape],
    teacher: Sequence[Shape],
    pairs: Sequence[tuple[int, int]],
    remedy: str = "pairs=[(student stage, teacher stage), ...] of others",
) -> None:
    """Refuse pairs of stages that share one position only, for methods that compare where activation lies."""
    for s, t in pairs:
        shapes = chosen("student", student, s), chosen("teacher", teacher, t)
        axes = common_axes(*shapes)
        grids = [shared_sizes(shape, axes) for shape in shapes]
        if math.prod(min(grids)) < 2:
            raise ValueError(
                f"{method} compares positions of stages; stage {s} of the student {shapes[0]} and stage {t} of the "
                f"teacher {shapes[1]} share only one; give {remedy}"
            )


def shared_sizes(shape: Shape, axes: str) -> Shape:
    """The sizes of the named axes of a shape ``(C, ...)``."""
    return tuple(size for size, axis in zip(shape[1:], AXES[len(shape) - 1], strict=True) if axis in axes)
