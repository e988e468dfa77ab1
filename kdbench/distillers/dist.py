"""Knowledge Distillation from A Stronger Teacher (Huang et al., NeurIPS 2022)."""

from typing import Any

from torch import Tensor

from ..registry import DISTILLERS
from ..spec import MULTI_LABEL, DataSpec, Fields
from .base import Distiller
from .binary import known_form
from .precision import precise
from .temperature import checked_temperature

EPSILON = 1e-8  # of the reference code: the correlation of a constant row is zero


def pearson(one: Tensor, other: Tensor, dim: int) -> Tensor:
    """Correlation of paired rows (``dim=1``) or columns (``dim=0``); zero for a constant one.

    >>> import torch
    >>> pearson(torch.tensor([[1.0, 2.0, 4.0]]), torch.tensor([[3.0, 1.0, 1.0]]), dim=1)
    tensor([-0.7559])
    """
    one, other = (x - x.mean(dim, keepdim=True) for x in (one, other))
    return (one * other).sum(dim) / (one.norm(dim=dim) * other.norm(dim=dim) + EPSILON)


def dist_loss(
    student: Tensor,
    teacher: Tensor,
    beta: float = 1.0,
    gamma: float = 1.0,
    tau: float = 4.0,
    form: str = "softmax",
) -> Tensor:
    """``tau^2 * [beta * (1 - mean_b rho_b) + gamma * (1 - mean_k rho_k)]``, correlations of class probabilities.

    ``rho_b`` runs over the classes of a clip, ``rho_k`` over the clips of a class. Logits are ``(B, K)``; the loss
    is in ``[0, 2 tau^2 (beta + gamma)]``. ``form`` is ``"softmax"`` or ``"bernoulli"`` (a sigmoid for each class).

    >>> import torch
    >>> dist_loss(torch.eye(3), torch.eye(3).flip(1), tau=1.0)
    tensor(2.)
    """
    student, teacher = (x / tau for x in precise(student, teacher))
    squash = Tensor.sigmoid if form == "bernoulli" else lambda x: x.softmax(1)
    student, teacher = squash(student), squash(teacher)
    inter = 1 - pearson(student, teacher, dim=1).mean()
    intra = 1 - pearson(student, teacher, dim=0).mean()
    return tau**2 * (beta * inter + gamma * intra)


@DISTILLERS.register_module()
class DIST(Distiller):
    """The teacher's order within a clip and within a class, rather than its exact probabilities.

    ``beta`` weighs the correlation over classes, ``gamma`` that over the clips of a batch; ``tau`` is the
    temperature. In a batch of one nothing varies over clips, so the second term is constant.

    Published: weight 2, ``beta`` and ``gamma`` 1, ``tau`` 4 on CIFAR and 1 on ImageNet.

    Several labels: ``form`` is ``"softmax"`` for one label a clip and ``"bernoulli"`` for several; the data's task
    settles it. The Bernoulli form is ours: a correlation asks for no distribution.

    Deviations: none.
    """

    def __init__(self, beta: float = 1.0, gamma: float = 1.0, tau: float = 4.0, form: str = "softmax"):
        super().__init__()
        self.beta, self.gamma, self.tau, self.form = beta, gamma, checked_temperature(tau), known_form(form)

    @staticmethod
    def infer(student: Fields, teacher: Fields, data: DataSpec) -> dict[str, Any]:
        return {"form": "bernoulli" if data.task == MULTI_LABEL else "softmax"}

    def forward(self, student: Fields, teacher: Fields, batch: Fields) -> dict[str, Tensor]:
        loss = dist_loss(student.logits, teacher.logits.detach(), self.beta, self.gamma, self.tau, self.form)
        return {"loss_dist": loss}
