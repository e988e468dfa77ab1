"""Rethinking Soft Labels for Knowledge Distillation (Zhou et al., ICLR 2021)."""

from typing import Any

import torch
from torch import Tensor

from ..registry import DISTILLERS
from ..spec import MULTI_LABEL, DataSpec, Fields, Needs
from .base import Distiller
from .binary import binary_logits, binary_target, known_form
from .precision import precise
from .temperature import checked_temperature

EPSILON = 1e-7  # of the reference code, beside the teacher's cross-entropy


def wsld_weights(student: Tensor, teacher: Tensor, target: Tensor) -> Tensor:
    """``1 - exp(-CE_student / CE_teacher)`` of each clip, in [0, 1], without gradient; zero where unlabelled.

    The better the student already knows a label beside the teacher, the less it needs the soft one.

    >>> wsld_weights(torch.eye(2), torch.eye(2), torch.tensor([0, 1]))
    tensor([0.6321, 0.6321])
    """
    own = target.clamp(min=0)[:, None]
    surprises = [-x.detach().log_softmax(1).gather(1, own)[:, 0] for x in (student, teacher)]
    return -torch.expm1(-surprises[0] / (surprises[1] + EPSILON)) * (target >= 0)


def wsld_loss(student: Tensor, teacher: Tensor, target: Tensor, tau: float = 2.0) -> Tensor:
    """``-tau^2 * mean_b w_b sum_k p_teacher log p_student`` at temperature ``tau``, weights of ``wsld_weights``.

    Logits are ``(B, K)``, ``target`` is ``(B,)``; clips whose target is negative are left out. A cross-entropy, so not
    zero between equals.

    >>> wsld_loss(torch.eye(2), torch.eye(2), torch.tensor([0, 1]), tau=1.0)
    tensor(0.3680)
    """
    student, teacher = precise(student, teacher)
    soft = -((teacher / tau).softmax(1) * (student / tau).log_softmax(1)).sum(1)
    weighted = tau**2 * wsld_weights(student, teacher, target) * soft
    return weighted.sum() / (target >= 0).sum().clamp(min=1)


@DISTILLERS.register_module()
class WSLD(Distiller):
    """Soft labels weighed clip by clip; ``tau`` is the temperature.

    What has no label gives nothing, because the weight needs it.

    Published: weight 2.5, ``tau`` 2.

    Several labels: ``form`` is ``"softmax"`` for one label a clip and ``"bernoulli"`` for several; the data's task
    settles it. The Bernoulli form (ours) takes every class of a clip as a two-class question with its own weight.

    Deviations: none.
    """

    needs = Needs(batch=("target",))

    def __init__(self, tau: float = 2.0, form: str = "softmax"):
        super().__init__()
        self.tau, self.form = checked_temperature(tau), known_form(form)

    @staticmethod
    def infer(student: Fields, teacher: Fields, data: DataSpec) -> dict[str, Any]:
        return {"form": "bernoulli" if data.task == MULTI_LABEL else "softmax"}

    def forward(self, student: Fields, teacher: Fields, batch: Fields) -> dict[str, Tensor]:
        logits, target = (student.logits, teacher.logits.detach()), batch.target
        if self.form == "bernoulli":
            logits, target = tuple(binary_logits(x) for x in logits), binary_target(target)
        return {"loss_wsld": wsld_loss(*logits, target, self.tau)}
