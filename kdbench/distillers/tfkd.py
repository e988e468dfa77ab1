"""Revisiting Knowledge Distillation via Label Smoothing Regularization (Yuan et al., CVPR 2020)."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..registry import DISTILLERS
from ..spec import MULTI_LABEL, DataSpec, Fields, Needs
from .base import Distiller
from .binary import binary_logits, binary_target, known_form
from .precision import precise
from .temperature import checked_temperature

SOFTENED = ("probabilities", "logits")


def virtual_teacher(target: Tensor, num_classes: int, correct: float = 0.99) -> Tensor:
    """``correct`` for the class ``target`` ``(B,)`` and an equal share of the rest for each other: ``(B, K)``.

    >>> import torch
    >>> virtual_teacher(torch.tensor([2, 0]), 3, correct=0.9)
    tensor([[0.0500, 0.0500, 0.9000],
            [0.9000, 0.0500, 0.0500]])
    """
    share = (1 - correct) / (num_classes - 1)
    is_target = target[:, None] == torch.arange(num_classes, device=target.device)  # F.one_hot waits
    return is_target * (correct - share) + share


def tfkd_loss(
    student: Tensor,
    target: Tensor,
    correct: float = 0.99,
    tau: float = 20.0,
    soften: str = "probabilities",
) -> Tensor:
    """KL divergence of the student's logits ``(B, K)`` from the softened virtual teacher, mean over labelled clips.

    Of ``"probabilities"`` the teacher is ``softmax(probabilities / tau)`` and the student is at temperature 1; of
    ``"logits"`` this is ``kd_loss`` with a teacher whose logits are the log-probabilities. Targets below zero are
    unlabelled; without any label it is 0.

    >>> import torch
    >>> tfkd_loss(torch.eye(3), torch.tensor([0, 1, -1]))
    tensor(0.1087)
    """
    (student,) = precise(student)
    teacher = virtual_teacher(target.clamp(min=0), student.shape[1], correct).to(student.dtype)
    scale = 1.0
    if soften == "logits":
        teacher, student, scale = teacher.log(), student / tau, tau**2
    wanted, found = (teacher / tau).log_softmax(1), student.log_softmax(1)
    each = F.kl_div(found, wanted, reduction="none", log_target=True).sum(1)
    known = target >= 0
    return scale * (each * known).sum() / known.sum().clamp(min=1)


@DISTILLERS.register_module()
class TfKD(Distiller):
    """A virtual teacher that is right with probability ``correct`` and knows nothing else: "Tf-KD reg", no teacher.

    ``tau`` softens it. ``soften`` says what: its ``"probabilities"`` go through one more softmax, as in the released
    code, or its ``"logits"`` do, as a real teacher's in KD would.

    Published: ``correct`` 0.99, ``tau`` 20, weight 0.1 and 0.9 for the task's loss (the released setting for ResNet-18
    on CIFAR-100, whose factor of 100 is the number of classes over which it averages); the paper asks for
    ``correct`` of 0.9 or more.

    Several labels: ``form`` is ``"softmax"`` for one label a clip and ``"bernoulli"`` for several; the data's task
    settles it. The Bernoulli form (ours) takes every class of a clip as a two-class question.

    Limits: clips without a label have no virtual teacher. The paper's second method, "Tf-KD self", is KD with the lone
    student as the teacher: a row of its own, no class. Label smoothing is an option of the task's loss.

    Deviations: none.
    """

    needs = Needs(teacher=(), batch=("target",))

    def __init__(
        self,
        correct: float = 0.99,
        tau: float = 20.0,
        soften: str = "probabilities",
        form: str = "softmax",
    ):
        super().__init__()
        if not 0 < correct < 1:
            raise ValueError(f"a probability of the right class is asked for, 0 to 1; there is: {correct}")
        if soften not in SOFTENED:
            raise ValueError(f"soften '{soften}' is unknown; there is: {', '.join(SOFTENED)}")
        self.correct, self.soften = correct, soften
        self.tau, self.form = checked_temperature(tau), known_form(form)

    @staticmethod
    def infer(student: Fields, teacher: Fields, data: DataSpec) -> dict[str, Any]:
        return {"form": "bernoulli" if data.task == MULTI_LABEL else "softmax"}

    def forward(self, student: Fields, teacher: Fields, batch: Fields) -> dict[str, Tensor]:
        logits, target = student.logits, batch.target
        if self.form == "bernoulli":
            logits, target = binary_logits(logits), binary_target(target)
        return {"loss_tfkd": tfkd_loss(logits, target, self.correct, self.tau, self.soften)}
