"""Learning from Multiple Teacher Networks (You et al., KDD 2017)."""

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..registry import DISTILLERS
from ..spec import MULTI_LABEL, DataSpec, Fields, Needs
from .base import Distiller
from .binary import known_form
from .kd import FORMS
from .precision import precise
from .temperature import checked_temperature

MEANS = ("probabilities", "losses")


def mean_teacher(teachers: Sequence[Tensor], tau: float = 4.0, form: str = "softmax") -> Tensor:
    """Logits ``(B, K)`` that at temperature ``tau`` give the mean of what the teachers give at ``tau``.

    >>> (mean_teacher([torch.eye(2), 2 * torch.eye(2)], tau=1.0).softmax(1)[0, 0] * 2).round(decimals=4)
    tensor(1.6119)
    """
    scaled = torch.stack(precise(*teachers)) / tau
    if form == "bernoulli":
        return tau * (F.logsigmoid(scaled).logsumexp(0) - F.logsigmoid(-scaled).logsumexp(0))
    return tau * (scaled.log_softmax(2).logsumexp(0) - math.log(len(scaled)))


def average_mkd_loss(
    student: Tensor,
    teachers: Sequence[Tensor],
    tau: float = 4.0,
    mean: str = "probabilities",
    form: str = "softmax",
) -> Tensor:
    """``kd_loss`` with the mean of the teachers' softened outputs, or the mean of it over the teachers.

    Logits are ``(B, K)``. The two differ by how much the teachers differ among themselves, on which the student has no
    influence: their gradients are the same.

    >>> average_mkd_loss(torch.eye(3), [torch.eye(3), 2 * torch.eye(3)], tau=1.0)
    tensor(0.0235)
    """
    if mean == "probabilities":
        return FORMS[form](student, mean_teacher(teachers, tau, form), tau)
    return sum(FORMS[form](student, teacher, tau) for teacher in teachers) / len(teachers)


@DISTILLERS.register_module()
class AverageMKD(Distiller):
    """The average of the softened class scores of several teachers, all of one weight.

    The teachers are the members of one model, such as the backbone ``LateFusion``, which gives ``member_logits``: a
    list of ``(B, K)``. ``tau`` is the temperature. ``mean`` is what is averaged: their ``"probabilities"`` or their
    ``"losses"``, which train the same student.

    Published: the average of the softened outputs; weights of 1 and a temperature of 4 are those of AVER in CA-MKD's
    released code, which averages losses.

    Several labels: ``form`` is ``"softmax"`` for one label a clip and ``"bernoulli"`` for several; the data's task
    settles it. The Bernoulli form is ours.

    Deviations: the paper's second term, triplets of intermediate maps on which the teachers vote, is left out.
    """

    needs = Needs(teacher=("member_logits",))

    def __init__(self, tau: float = 4.0, mean: str = "probabilities", form: str = "softmax"):
        super().__init__()
        if mean not in MEANS:
            raise ValueError(f"the mean of '{mean}' is unknown; there is: {', '.join(MEANS)}")
        self.tau, self.mean, self.form = checked_temperature(tau), mean, known_form(form)

    @staticmethod
    def infer(student: Fields, teacher: Fields, data: DataSpec) -> dict[str, Any]:
        return {"form": "bernoulli" if data.task == MULTI_LABEL else "softmax"}

    def forward(self, student: Fields, teacher: Fields, batch: Fields) -> dict[str, Tensor]:
        teachers = [logits.detach() for logits in teacher.member_logits]
        return {
            "loss_average_mkd": average_mkd_loss(student.logits, teachers, self.tau, self.mean, self.form)
        }
