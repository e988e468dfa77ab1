"""MARS: Motion-Augmented RGB Stream for Action Recognition (Crasto et al., CVPR 2019).

The paper's other network, MERS: what MARS learns in one step is learnt in two.
"""

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from ..registry import DISTILLERS
from ..spec import MULTI_LABEL, DataSpec, Fields, Needs
from .base import Distiller
from .binary import known_form
from .dml import labels_loss
from .mars import mars_loss


def probe_loss(
    embedding: Tensor, weight: Tensor, bias: Tensor | None, target: Tensor, form: str = "softmax"
) -> Tensor:
    """``labels_loss`` of a linear classifier on embeddings ``(B, D)`` that are constants for it.

    ``weight`` is ``(K, D)``, ``bias`` ``(K,)``; ``target`` and ``form`` as in ``labels_loss``. No gradient reaches the
    network before the classifier.

    >>> import torch
    >>> probe_loss(torch.eye(2), torch.eye(2), None, torch.tensor([0, -1]))
    tensor(0.3133)
    """
    return labels_loss(F.linear(embedding.detach(), weight, bias), target, form)


@DISTILLERS.register_module()
class MERS(Distiller):
    """The student's embedding becomes the teacher's by ``mars_loss`` alone, and labels train its last layer alone.

    ``loss_mers`` trains everything before the student's last linear layer, ``loss_mers_labels`` that layer. The two
    share no parameter, so the classifier may learn all along: no gradient of it reaches what it reads. Hence
    ``task_weight=0``, since the task's loss would train the stream with labels too. Clipping by the norm of all
    gradients joins the two: where it sets in, the classifier's gradient shortens the stream's.

    Published: ``alpha`` 50; a stream that has seen no label, and a classifier trained behind it.

    Several labels: ``form`` is ``"softmax"`` for one label a clip and ``"bernoulli"`` for several; the data's task
    settles it. The Bernoulli form (ours) takes every class of a clip as a two-class question.

    Limits: the student must end in one linear layer, tapped as ``embedding="MODULE:in"``.

    Deviations: the paper trains the classifier after the stream; its code trains both in each step, as here. There
    both networks are one architecture; where widths differ, a trained linear map comes between, for the loss only. A
    dropout before the last layer is not in the labels' loss.
    """

    needs = Needs(student=("embedding",), teacher=("embedding",), batch=("target",), heads=("student",))

    def __init__(self, student_dim: int, teacher_dim: int, alpha: float = 50.0, form: str = "softmax"):
        super().__init__()
        self.alpha, self.form = alpha, known_form(form)
        is_equal = student_dim == teacher_dim
        self.project = nn.Identity() if is_equal else nn.Linear(student_dim, teacher_dim)
        self._heads: list[nn.Linear] = []  # no module of ours: it is the student's own

    @staticmethod
    def infer(student: Fields, teacher: Fields, data: DataSpec) -> dict[str, Any]:
        return {
            "student_dim": student.embedding[0].numel(),
            "teacher_dim": teacher.embedding[0].numel(),
            "form": "bernoulli" if data.task == MULTI_LABEL else "softmax",
        }

    def borrow(self, student: nn.Linear) -> None:
        self._heads = [student]

    def forward(self, student: Fields, teacher: Fields, batch: Fields) -> dict[str, Tensor]:
        if not self._heads:
            raise ValueError("MERS has no last linear layer of the student; give it by borrow(student=)")
        (head,), embedding = self._heads, student.embedding.flatten(1)
        target = teacher.embedding.detach().flatten(1)
        return {
            "loss_mers": mars_loss(self.project(embedding), target, self.alpha),
            "loss_mers_labels": probe_loss(embedding, head.weight, head.bias, batch.target, self.form),
        }
