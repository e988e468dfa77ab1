"""Video Pose Distillation for Few-Shot, Fine-Grained Sports Action Recognition (Hong et al., ICCV 2021)."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..registry import DISTILLERS
from ..spec import DataSpec, Fields, Needs
from .base import Distiller
from .precision import precise
from .stages import Shape, chosen, common_axes, pooled_to, shapes_of


def vpd_loss(student: Tensor, teacher: Tensor, previous: Tensor | None = None) -> Tensor:
    """``sum (student - [e_t, e_t - e_(t-1)])^2`` of a frame's embedding ``(B, D)`` and its change; over everything.

    ``student`` is ``(B, 2 D)``, or ``(B, D)`` without ``previous`` ``(B, D)``, the teacher's one frame before.

    >>> vpd_loss(torch.zeros(1, 4), torch.ones(1, 2), -torch.ones(1, 2))
    tensor(10.)
    """
    student, teacher = precise(student, teacher)
    target = teacher if previous is None else torch.cat([teacher, teacher - previous], 1)
    return (student - target).square().sum()


@DISTILLERS.register_module()
class VPD(Distiller):
    """From each frame of a student's stage a decoder tells the teacher's embedding of the frame and its change.

    The teacher reads poses; ``stage`` and ``teacher_stage`` as in FitNet, both with a time axis, brought to the
    student's number of frames. ``width`` is that of the decoder's two hidden layers; it is dropped after training.
    The first frame has no change and is no target. Where the teacher has another number of frames, it is read at the
    middles of the student's by linear interpolation: repeated frames would say that nothing moved, means over one frame
    here and two there that steady motion is jerky. Outside the middles of its first and last frame it stands still.

    Published: only this loss (``task_weight=0``), ``width`` 128; a classifier is trained afterwards.

    Limits: both stages must have a time axis of two frames or more; give ``stage`` and ``teacher_stage`` of others.

    Deviations: the paper trains single frames and sums over the batch; ours is divided by the number of clips, so
    that the weight does not hang on the batch size.
    """

    needs = Needs(student=("stages",), teacher=("stages",))

    def __init__(
        self,
        student_shapes: Sequence[Shape],
        teacher_shapes: Sequence[Shape],
        width: int = 128,
        stage: int = -1,
        teacher_stage: int | None = None,
    ):
        super().__init__()
        self.stage, self.teacher_stage = stage, stage if teacher_stage is None else teacher_stage
        student = chosen("student", student_shapes, self.stage)
        teacher = chosen("teacher", teacher_shapes, self.teacher_stage)
        axes = common_axes(student, teacher)
        if "T" not in axes or student[1] < 2 or teacher[1] < 2:
            raise ValueError(
                f"VPD needs stages with two frames or more, (C, T) or (C, T, H, W); there is: {student} of the student "
                f"and {teacher} of the teacher; give stage= and teacher_stage= of others"
            )
        self.decoder = nn.Sequential(
            nn.Linear(student[0], width), nn.ReLU(),
            nn.Linear(width, width), nn.ReLU(),
            nn.Linear(width, 2 * teacher[0]),
        )  # fmt: skip

    @staticmethod
    def infer(student: Fields, teacher: Fields, data: DataSpec) -> dict[str, Any]:
        return shapes_of(student.stages, teacher.stages)

    def forward(self, student: Fields, teacher: Fields, batch: Fields) -> dict[str, Tensor]:
        frames = pooled_to(student.stages[self.stage], "T")
        (target,) = precise(pooled_to(teacher.stages[self.teacher_stage].detach(), "T"))
        target = F.interpolate(target, frames.shape[2:], mode="linear", align_corners=False).transpose(1, 2)
        guess = self.decoder(frames.transpose(1, 2))
        clips, now, before = len(target), target[:, 1:].flatten(0, 1), target[:, :-1].flatten(0, 1)
        return {"loss_vpd": vpd_loss(guess[:, 1:].flatten(0, 1), now, before) / clips}
