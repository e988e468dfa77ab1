"""Be Your Own Teacher (Zhang et al., ICCV 2019)."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from ..registry import DISTILLERS
from ..spec import MULTI_LABEL, DataSpec, Fields, Needs
from .base import Distiller
from .binary import known_form
from .dml import labels_loss
from .heads import POOLINGS
from .kd import FORMS
from .precision import precise
from .simkd import projector
from .stages import Shape, chosen
from .temperature import checked_temperature


def byot_feature_loss(shallow: Tensor, deepest: Tensor) -> Tensor:
    """Squared distance of features ``(B, D)``, mean over clips.

    >>> import torch
    >>> byot_feature_loss(torch.zeros(2, 3), torch.ones(2, 3))
    tensor(3.)
    """
    shallow, deepest = precise(shallow, deepest)
    return (shallow - deepest).square().sum(1).mean()


def by_clip(x: Tensor, size: int) -> Tensor:
    """The mean over views that are folded into the batch, clip by clip: ``(B * V, D)`` to ``(B, D)``."""
    return x.unflatten(0, (size, -1)).mean(1)


class Exit(nn.Module):
    """A stage ``(B, C, ...)`` of the student as features ``(B, D)`` of the deepest stage's width, and its logits."""

    def __init__(self, shape: Shape, width: int, num_classes: int):
        super().__init__()
        self.bottleneck = projector(shape[0], width, rank=len(shape) - 1, factor=4)
        self.fc = nn.Linear(width, num_classes)

    def forward(self, stage: Tensor) -> tuple[Tensor, Tensor]:
        # A vector is a sequence of one position.
        features = POOLINGS["mean"](self.bottleneck(stage if stage.dim() > 2 else stage[..., None]))
        return features, self.fc(features)


@DISTILLERS.register_module()
class BYOT(Distiller):
    """Classifiers on the student's own earlier stages learn from the labels and from the deepest one; no teacher.

    For each stage but the last, an ``Exit`` makes features of the last stage's width and logits. ``loss_byot_labels``
    is ``1 - alpha`` times their cross-entropies, ``loss_byot_kd`` is ``alpha`` times their ``kd_loss`` from the
    student's logits at the temperature ``tau``, ``loss_byot_hint`` is ``hint_weight`` times the squared distances of
    their features to the last stage's, averaged over positions. What the deepest gives is constant, and the task's
    loss trains it. Of stages with views in the batch ``(B * V, ...)`` the views of a clip are averaged behind the exit.
    Exits are trained with the student and not used in tests.

    Published: the task's loss at weight 1. The paper's text could not be read here: ``alpha`` 0.1 and ``tau`` 3 are
    those of an independent implementation (luanyunteng/pytorch-be-your-own-teacher), as is the hint's 1e-6 for a sum
    over 128 clips, 1.28e-4 for their mean.

    Several labels: ``form`` is ``"softmax"`` for one label a clip and ``"bernoulli"`` for several; the data's task
    settles it. The Bernoulli form (ours) takes every class of a clip as a two-class question.

    Deviations: an exit is three convolutions (1 x 1, 3 x 3, 1 x 1, a quarter as wide inside) and the average over
    positions, for stages of any rank; the paper's reduces the grid by a strided convolution as large as the rest of it.
    """

    needs = Needs(student=("logits", "stages"), teacher=(), batch=("target",))

    def __init__(
        self,
        student_shapes: Sequence[Shape],
        num_classes: int,
        alpha: float = 0.1,
        tau: float = 3.0,
        hint_weight: float = 1.28e-4,
        form: str = "softmax",
    ):
        super().__init__()
        if len(student_shapes) < 2:
            raise ValueError(
                f"BYOT puts classifiers on the stages before the last; there is: {len(student_shapes)} stage; tap more"
            )
        self.alpha, self.hint_weight = alpha, hint_weight
        self.tau, self.form = checked_temperature(tau), known_form(form)
        shapes = [chosen("student", student_shapes, stage) for stage in range(len(student_shapes))]
        self.exits = nn.ModuleList(Exit(shape, shapes[-1][0], num_classes) for shape in shapes[:-1])

    @staticmethod
    def infer(student: Fields, teacher: Fields, data: DataSpec) -> dict[str, Any]:
        return {
            "student_shapes": [tuple(stage.shape[1:]) for stage in student.stages],
            "num_classes": data.num_classes,
            "form": "bernoulli" if data.task == MULTI_LABEL else "softmax",
        }

    def forward(self, student: Fields, teacher: Fields, batch: Fields) -> dict[str, Tensor]:
        logits, size = student.logits.detach(), len(student.logits)
        deepest = by_clip(POOLINGS["mean"](student.stages[-1]), size).detach()
        pairs = zip(self.exits, student.stages[:-1], strict=True)
        ends = [[by_clip(x, size) for x in leave(stage)] for leave, stage in pairs]
        labels = sum(labels_loss(guess, batch.target, self.form) for _, guess in ends)
        kd = sum(FORMS[self.form](guess, logits, self.tau) for _, guess in ends)
        hint = sum(byot_feature_loss(features, deepest) for features, _ in ends)
        return {
            "loss_byot_labels": (1 - self.alpha) * labels,
            "loss_byot_kd": self.alpha * kd,
            "loss_byot_hint": self.hint_weight * hint,
        }
