"""Decoupled Knowledge Distillation (Zhao et al., CVPR 2022)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..registry import DISTILLERS
from ..spec import SINGLE_LABEL, Fields, Needs
from .base import Distiller
from .precision import precise
from .temperature import checked_temperature


def dkd_loss(
    student: Tensor,
    teacher: Tensor,
    target: Tensor,
    alpha: float | Tensor = 1.0,
    beta: float | Tensor = 8.0,
    tau: float = 4.0,
) -> Tensor:
    """``tau^2 * [alpha * KL(b_T || b_S) + beta * KL(r_T || r_S)]``: the target against the rest, and among the rest.

    ``b = (p_y, 1 - p_y)`` and ``r`` is the softmax over the other classes, both at temperature ``tau``. Logits are
    ``(B, K)``, ``target`` is ``(B,)``; clips whose target is negative are unlabelled and left out; the mean over
    the rest. ``alpha`` and ``beta`` are numbers or a weight for each clip: with ``beta = 1 - p_teacher(target)``
    this is KD.

    >>> student, teacher = torch.eye(3), 2 * torch.eye(3)
    >>> dkd_loss(student, teacher, torch.arange(3), alpha=1.0, beta=8.0, tau=1.0)
    tensor(0.0989)
    """
    labelled, own = target >= 0, target.clamp(min=0)[:, None]
    others = torch.arange(student.shape[1] - 1, device=student.device).expand(len(student), -1)
    # The K - 1 classes beside the target, without a mask that the host must read.
    others = others + (others >= own)

    def split(logits: Tensor) -> tuple[Tensor, Tensor]:
        rest = logits.gather(1, others)
        binary = torch.cat([logits.gather(1, own), rest.logsumexp(1, keepdim=True)], 1)
        return binary.log_softmax(1), rest.log_softmax(1)

    student, teacher = precise(student / tau, teacher / tau)
    pairs = zip(split(student), split(teacher), strict=True)
    binary, among_rest = (F.kl_div(s, t, reduction="none", log_target=True).sum(1) for s, t in pairs)
    each = tau**2 * (alpha * binary + beta * among_rest)
    return (each * labelled).sum() / labelled.sum().clamp(min=1)


@DISTILLERS.register_module()
class DKD(Distiller):
    """``alpha`` weighs the target against the rest, ``beta`` the rest among themselves; ``tau`` is the temperature.

    Clips without a label give nothing, because the split is around the label.

    Published: weight 1, ``alpha`` 1, ``tau`` 4; ``beta`` 8 for resnet32x4 pairs, 6 for wrn_40_2 and vgg13, 2 for
    resnet56 and resnet110 as teachers; a warm-up of the weight over 20 epochs, which is the hook
    ``dict(type="Ramp", path="model.distill_weight", start=0.0, end=1.0, until=20)``.

    Limits: one label a clip only, because the split is around the one target; for several take KD, DIST, MLKD or
    WSLD.

    Deviations: none.
    """

    needs = Needs(batch=("target",), tasks=(SINGLE_LABEL,))

    def __init__(self, alpha: float = 1.0, beta: float = 8.0, tau: float = 4.0):
        super().__init__()
        self.alpha, self.beta, self.tau = alpha, beta, checked_temperature(tau)

    def forward(self, student: Fields, teacher: Fields, batch: Fields) -> dict[str, Tensor]:
        loss = dkd_loss(
            student.logits,
            teacher.logits.detach(),
            batch.target,
            alpha=self.alpha,
            beta=self.beta,
            tau=self.tau,
        )
        return {"loss_dkd": loss}
