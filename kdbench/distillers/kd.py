"""Distilling the Knowledge in a Neural Network (Hinton et al., NIPS Workshop 2014)."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from ..registry import DISTILLERS
from ..spec import MULTI_LABEL, DataSpec, Fields
from .base import Distiller
from .precision import precise
from .temperature import checked_temperature


def kd_loss(student: Tensor, teacher: Tensor, tau: float = 4.0) -> Tensor:
    """``tau^2 * mean_b sum_k p_T log(p_T / p_S)``, ``p`` the softmax at temperature ``tau``; logits are ``(B, K)``.

    >>> import torch
    >>> kd_loss(torch.eye(3), 2 * torch.eye(3), tau=1.0)
    tensor(0.0989)
    """
    student, teacher = precise(student, teacher)
    student, teacher = (student / tau).log_softmax(1), (teacher / tau).log_softmax(1)
    return tau**2 * F.kl_div(student, teacher, reduction="batchmean", log_target=True)


def bernoulli_kd_loss(student: Tensor, teacher: Tensor, tau: float = 4.0) -> Tensor:
    """``tau^2 * mean_b,k KL(q_T || q_S)``, ``q`` the sigmoid of each class at temperature ``tau``; logits ``(B, K)``.

    The form for clips with several labels. No paper states it in this form.

    >>> import torch
    >>> bernoulli_kd_loss(torch.eye(3), 2 * torch.eye(3), tau=1.0)
    tensor(0.0224)
    """
    student, teacher = precise(student / tau, teacher / tau)
    present = teacher.sigmoid() * (F.logsigmoid(teacher) - F.logsigmoid(student))
    absent = (-teacher).sigmoid() * (F.logsigmoid(-teacher) - F.logsigmoid(-student))
    return tau**2 * (present + absent).mean()


FORMS = {"softmax": kd_loss, "bernoulli": bernoulli_kd_loss}


@DISTILLERS.register_module()
class KD(Distiller):
    """Softened class scores of the teacher. ``tau`` is the temperature.

    Published: weight 0.9 and 0.1 for the labels, ``tau`` 4, in the tables of later papers; the paper itself varies
    them.

    Several labels: ``form`` is ``"softmax"`` for one label a clip and ``"bernoulli"`` for several (ours,
    ``bernoulli_kd_loss``); the data's task settles it.

    Deviations: none.
    """

    def __init__(self, tau: float = 4.0, form: str = "softmax"):
        super().__init__()
        if form not in FORMS:
            raise ValueError(f"form '{form}' is unknown; there is: {', '.join(FORMS)}")
        self.tau, self.form = checked_temperature(tau), form

    @staticmethod
    def infer(student: Fields, teacher: Fields, data: DataSpec) -> dict[str, Any]:
        return {"form": "bernoulli" if data.task == MULTI_LABEL else "softmax"}

    def forward(self, student: Fields, teacher: Fields, batch: Fields) -> dict[str, Tensor]:
        return {"loss_kd": FORMS[self.form](student.logits, teacher.logits.detach(), self.tau)}
