"""Curriculum Temperature for Knowledge Distillation (Li et al., AAAI 2023)."""

from typing import Any

import torch
from torch import Tensor, nn

from ..registry import DISTILLERS
from ..spec import MULTI_LABEL, DataSpec, Fields
from .base import Distiller
from .binary import known_form
from .kd import FORMS
from .precision import precise


def ctkd_temperature(
    theta: Tensor, reversal: float = -1.0, tau_min: float = 1.0, tau_span: float = 20.0
) -> Tensor:
    """``tau_min + tau_span * sigmoid(theta)``, in ``(tau_min, tau_min + tau_span)``, a scalar.

    The gradient that reaches ``theta`` is the ordinary one times ``reversal``: below zero, ``theta`` climbs the
    loss. The paper's names are lambda for ``reversal`` and t_start, t_end for the last two (t_end is not the end).

    >>> ctkd_temperature(torch.tensor(1.0))
    tensor(15.6212)
    """
    theta = theta.detach() + reversal * (theta - theta.detach())
    return tau_min + tau_span * theta.sigmoid()


@DISTILLERS.register_module()
class CTKD(Distiller):
    """``kd_loss`` (see KD) whose one temperature is learned against the student, ever harder.

    ``theta`` is what the temperature is computed from (``ctkd_temperature``). ``reversal`` (the paper's lambda)
    scales its gradient: -1 from the start, or along a curriculum by the hook ``dict(type="Ramp",
    path="model.distiller.reversal", start=0.0, end=-1.0, until=10, curve="cosine")``. The optimiser must see the
    distiller's parameters; its weight decay pulls ``theta`` to 0 as in the reference.

    Published: KD's weights, 0.9 and 0.1 for the labels; ``theta`` from 1, so the temperature from 15.6;
    ``reversal`` from 0 to -1 along a cosine in the first 10 epochs.

    Several labels: ``form`` is ``"softmax"`` for one label a clip and ``"bernoulli"`` for several (ours); the
    data's task settles it.

    Deviations: this is the global temperature; the paper's one for each clip is left out.
    """

    def __init__(
        self,
        theta: float = 1.0,
        tau_min: float = 1.0,
        tau_span: float = 20.0,
        reversal: float = -1.0,
        form: str = "softmax",
    ):
        super().__init__()
        self.theta = nn.Parameter(torch.tensor(float(theta)))
        self.tau_min, self.tau_span, self.form = tau_min, tau_span, known_form(form)
        self.reversal = float(reversal)

    @staticmethod
    def infer(student: Fields, teacher: Fields, data: DataSpec) -> dict[str, Any]:
        return {"form": "bernoulli" if data.task == MULTI_LABEL else "softmax"}

    def forward(self, student: Fields, teacher: Fields, batch: Fields) -> dict[str, Tensor]:
        tau = ctkd_temperature(self.theta, self.reversal, self.tau_min, self.tau_span)
        student_logits, teacher_logits = precise(student.logits, teacher.logits.detach())
        return {"loss_ctkd": FORMS[self.form](student_logits, teacher_logits, tau)}
