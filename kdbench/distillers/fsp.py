"""A Gift from Knowledge Distillation (Yim et al., CVPR 2017)."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from ..registry import DISTILLERS
from ..spec import DataSpec, Fields, Needs
from .base import Distiller
from .precision import precise, without_autocast
from .stages import CONVOLUTIONS, Shape, chosen, matched, paired, shapes_of


def flow_matrix(earlier: Tensor, later: Tensor) -> Tensor:
    """Products of the channels of two stages of one network, averaged over positions: ``(B, C, C')``.

    >>> import torch
    >>> flow_matrix(torch.ones(1, 2, 4, 4), 3 * torch.ones(1, 1, 2, 2))
    tensor([[[3.],
             [3.]]])
    """
    earlier, later = (
        stage.flatten(2) if stage.dim() > 2 else stage[..., None] for stage in matched(earlier, later)
    )
    with without_autocast(earlier):
        return earlier @ later.mT / earlier.shape[2]


def fsp_loss(student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
    """``sum_l mean (G_S - G_T)^2`` of the flow matrices ``G`` (``flow_matrix``) of neighbouring stages.

    Stages ``(B, C, ...)`` of the two have the same widths in turn; their grids are their own.

    >>> import torch
    >>> fsp_loss([torch.ones(1, 2, 4), torch.ones(1, 1, 2)], [torch.ones(1, 2, 8), 3 * torch.ones(1, 1, 8)])
    tensor(4.)
    """
    student, teacher = precise(*student), precise(*teacher)
    flows = ([flow_matrix(a, b) for a, b in pairwise(stages)] for stages in (student, teacher))
    return sum(F.mse_loss(s, t) for s, t in zip(*flows, strict=True))


@DISTILLERS.register_module()
class FSP(Distiller):
    """How one stage's channels go with the next one's ("flow of solution procedure").

    The paper starts a network with it and then trains with labels only. That is two rows: one with
    ``task_weight=0`` and this distiller, and one without a distiller that ``starts_from`` the first (its student's
    ``weights``). In one row it works beside the task's loss.

    ``pairs`` are ``(student stage, teacher stage)`` from shallow to deep, two at least; by default the deepest with
    the deepest and so on upwards.

    Published: weight 50 in the reference code, without the task's loss for 30 epochs.

    Limits: one stage has no flow; tap two or more of each network.

    Deviations: the paper asks for equal widths; where they differ, a trained 1 x 1 convolution without bias brings
    the student's to the teacher's.
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
        if len(self.pairs) < 2:
            raise ValueError(
                f"FSP compares neighbouring stages and needs two pairs or more; there is: {len(self.pairs)} of "
                f"{len(student_shapes)} student stages and {len(teacher_shapes)} teacher stages; tap more stages"
            )
        self.connectors = nn.ModuleList(
            _widened(chosen("student", student_shapes, s), chosen("teacher", teacher_shapes, t)[0])
            for s, t in self.pairs
        )

    @staticmethod
    def infer(student: Fields, teacher: Fields, data: DataSpec) -> dict[str, Any]:
        return shapes_of(student.stages, teacher.stages)

    def forward(self, student: Fields, teacher: Fields, batch: Fields) -> dict[str, Tensor]:
        pairs = zip(self.connectors, self.pairs, strict=True)
        guesses = [connector(student.stages[s]) for connector, (s, _) in pairs]
        targets = [teacher.stages[t].detach() for _, t in self.pairs]
        return {"loss_fsp": fsp_loss(guesses, targets)}


def _widened(student: Shape, channels: int) -> nn.Module:
    if student[0] == channels:
        return nn.Identity()
    if len(student) == 1:
        return nn.Linear(student[0], channels, bias=False)
    return CONVOLUTIONS[len(student) - 1](student[0], channels, kernel_size=1, bias=False)
