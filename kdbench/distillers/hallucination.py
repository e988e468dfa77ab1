"""Modality Distillation with Multiple Stream Networks for Action Recognition (Garcia et al., ECCV 2018)."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from ..registry import DISTILLERS
from ..spec import SINGLE_LABEL, DataSpec, Fields, Needs
from .base import Distiller
from .precision import precise
from .stages import Regressor, Shape, chosen, pooled_to, shapes_of
from .temperature import checked_temperature


def soft_cross_entropy(student: Tensor, teacher: Tensor, tau: float = 10.0) -> Tensor:
    """Cross-entropy of the student with the teacher's softened classes, both over ``tau``; no ``tau^2``. ``(B, K)``.

    >>> import torch
    >>> soft_cross_entropy(torch.zeros(2, 4), torch.eye(4)[:2])
    tensor(1.3863)
    """
    student, teacher = precise(student, teacher)
    return -((teacher / tau).softmax(1) * (student / tau).log_softmax(1)).sum(1).mean()


def hallucinated_map_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Squared error of the sigmoids of two stages of one shape, summed over everything, the batch included.

    >>> import torch
    >>> hallucinated_map_loss(torch.zeros(2, 3, 4), torch.full((2, 3, 4), 99.0))
    tensor(6.)
    """
    student, teacher = precise(student, teacher)
    return (student.sigmoid() - teacher.sigmoid()).square().sum()


def hallucination_loss(
    student: Tensor,
    teacher: Tensor,
    student_map: Tensor,
    teacher_map: Tensor,
    tau: float = 10.0,
    lambda1: float = 0.5,
    lambda2: float = 0.5,
    lambda3: float = 0.01,
) -> Tensor:
    """``lambda2 * lambda1 * soft_cross_entropy + (1 - lambda2) * lambda3 * hallucinated_map_loss``.

    The paper's third step without the labels' part, which is the task's loss with weight ``lambda2 * (1 -
    lambda1)``.

    >>> import torch
    >>> logits, stage = torch.zeros(2, 4), torch.zeros(2, 3, 4)
    >>> hallucination_loss(logits, logits, stage, stage)
    tensor(0.3466)
    """
    soft = soft_cross_entropy(student, teacher, tau)
    return lambda2 * lambda1 * soft + (1 - lambda2) * lambda3 * hallucinated_map_loss(
        student_map, teacher_map
    )


@DISTILLERS.register_module()
class Hallucination(Distiller):
    """The hallucination stream: the student's stage and classes become those of the privileged modality's network.

    ``stage`` and ``teacher_stage`` as in FitNet.

    Published: the released code's, which are the defaults, with ``task_weight=0.25`` (see ``hallucination_loss``);
    the map's sum grows with the batch, which has 5 clips of 5 frames there.

    Limits: one label a clip only, because the soft labels are a softmax; for several take FitNet and KD in a Sum.

    Deviations: this is the third step of four; the first trains each network, the second fuses them
    (``hallucination_fusion/``), the third with the fused teacher is ``hallucination_stream/``, the fourth joins both
    networks of the one modality (``hallucination_system/``).
    The paper starts the stream from the teacher's weights; here a row says so (``start``), or it starts afresh.
    Where shapes differ, a trained ``Regressor`` without ReLU comes between (in the paper both networks are one
    architecture).
    """

    needs = Needs(student=("logits", "stages"), teacher=("logits", "stages"), tasks=(SINGLE_LABEL,))

    def __init__(
        self,
        student_shapes: Sequence[Shape],
        teacher_shapes: Sequence[Shape],
        tau: float = 10.0,
        lambda1: float = 0.5,
        lambda2: float = 0.5,
        lambda3: float = 0.01,
        stage: int = -1,
        teacher_stage: int | None = None,
    ):
        super().__init__()
        self.weights = {"lambda1": lambda1, "lambda2": lambda2, "lambda3": lambda3}
        self.weights["tau"] = checked_temperature(tau)
        self.stage, self.teacher_stage = stage, stage if teacher_stage is None else teacher_stage
        own, other = (
            chosen("student", student_shapes, self.stage),
            chosen("teacher", teacher_shapes, self.teacher_stage),
        )
        self.connector = nn.Identity() if own == other else Regressor(own, other, relu=False)

    @staticmethod
    def infer(student: Fields, teacher: Fields, data: DataSpec) -> dict[str, Any]:
        return shapes_of(student.stages, teacher.stages)

    def forward(self, student: Fields, teacher: Fields, batch: Fields) -> dict[str, Tensor]:
        guess, target = student.stages[self.stage], teacher.stages[self.teacher_stage].detach()
        if isinstance(self.connector, Regressor):
            target = pooled_to(target, self.connector.axes)
            guess = self.connector(guess, grid=target.shape[2:])
        loss = hallucination_loss(student.logits, teacher.logits.detach(), guess, target, **self.weights)
        return {"loss_hallucination": loss}
