"""Multi-level Logit Distillation (Jin et al., CVPR 2023)."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from ..registry import DISTILLERS
from ..spec import MULTI_LABEL, DataSpec, Fields, Needs
from .base import Distiller
from .binary import binary_logits, binary_target, known_form
from .dml import labels_loss
from .kd import FORMS
from .lskd import standardised
from .precision import precise, without_autocast
from .temperature import checked_temperature

TAUS = (4.0, 3.0, 5.0, 2.0, 6.0)
STRONG_UPSTREAM = 3  # the released trainer reads the strong view at the first three temperatures only
Parts = dict[str, Tensor]


def gram_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """``||S S^T - T T^T||^2 / R`` of matrices with ``R`` rows: how alike any two rows are.

    >>> import torch
    >>> gram_loss(torch.eye(2), torch.ones(2, 2))
    tensor(5.)
    """
    student, teacher = precise(student, teacher)
    with without_autocast(student):
        return (student @ student.T - teacher @ teacher.T).square().sum() / len(student)


def mlkd_parts(
    student: Tensor,
    teacher: Tensor,
    taus: Sequence[float] = TAUS,
    standardise: bool = False,
    form: str = "softmax",
) -> Parts:
    """The three levels of one view, logits ``(B, K)``, each summed over the temperatures.

    ``kl`` (clips) is ``kd_loss``; ``bc`` (the batch) and ``cc`` (the classes) are ``gram_loss`` of the probabilities
    ``P`` ``(B, K)`` and of ``P^T``. ``standardise`` takes standardised logits (LSKD) in ``kl`` only. ``form`` is
    ``"softmax"`` or ``"bernoulli"`` (a sigmoid for each class).

    >>> import torch
    >>> mlkd_parts(torch.eye(2), 2 * torch.eye(2), taus=[1.0])
    {'kl': tensor(0.0671), 'bc': tensor(0.0672), 'cc': tensor(0.0672)}
    """
    student, teacher = precise(student, teacher)
    scaled = (standardised(student), standardised(teacher)) if standardise else (student, teacher)
    squash = Tensor.sigmoid if form == "bernoulli" else lambda x: x.softmax(1)
    pairs = [(squash(student / tau), squash(teacher / tau)) for tau in taus]
    return {
        "kl": sum(FORMS[form](*scaled, tau) for tau in taus),
        "bc": sum(gram_loss(s, t) for s, t in pairs),
        "cc": sum(gram_loss(s.T, t.T) for s, t in pairs),
    }


def mlkd_loss(
    views: Sequence[tuple[Tensor, Tensor]],
    taus: Sequence[float] = TAUS,
    standardise: bool = False,
    form: str = "softmax",
) -> Tensor:
    """All of ``mlkd_parts``, summed over ``views``: pairs of student and teacher logits ``(B, K)``.

    >>> import torch
    >>> mlkd_loss([(torch.eye(2), 2 * torch.eye(2))], taus=[1.0])
    tensor(0.2014)
    """
    return sum(sum(mlkd_parts(*view, taus, standardise, form).values()) for view in views)


def lower_half(confidence: Tensor) -> Tensor:
    """Which of ``(R,)`` are at or below their median.

    >>> import torch
    >>> lower_half(torch.tensor([3.0, 1.0, 2.0]))
    tensor([False,  True,  True])
    """
    return confidence <= confidence.quantile(0.5)


def mlkd_upstream_parts(
    weak: tuple[Tensor, Tensor],
    strong: tuple[Tensor, Tensor],
    taus: Sequence[float] = TAUS,
    standardise: bool = False,
) -> Parts:
    """The three levels as the released trainer adds them up, of student and teacher logits ``(B, K)`` of two views.

    Its masks of unsure clips and classes multiply averages, so they only scale; from the fourth temperature on it reads
    the weak view twice; the strong view's Gram terms are never added.

    >>> import torch
    >>> view = torch.eye(2), 2 * torch.eye(2)
    >>> mlkd_upstream_parts(view, view, taus=[1.0])
    {'kl': tensor(0.1343), 'bc': tensor(0.0672), 'cc': tensor(0.0672)}
    """
    (probability,) = precise(weak[1].detach())
    probability = probability.softmax(1)
    clips = lower_half(probability.max(1).values).float().mean()
    classes = lower_half(probability.sum(0)).float().mean()
    parts = mlkd_parts(*weak, taus, standardise)
    second = mlkd_parts(*strong, taus[:STRONG_UPSTREAM], standardise)["kl"]
    if taus[STRONG_UPSTREAM:]:
        second = second + mlkd_parts(*weak, taus[STRONG_UPSTREAM:], standardise)["kl"]
    return {"kl": clips * parts["kl"] + second, "bc": clips * parts["bc"], "cc": classes * parts["cc"]}


@DISTILLERS.register_module()
class MLKD(Distiller):
    """The teacher's probabilities of clips, between the clips of a batch, and between classes, at several temperatures.

    ``taus`` are the temperatures. With ``strong=True`` it learns from two views, as published: student and teacher
    must give ``logits_strong``, the logits of a stronger augmentation; without it from ``logits`` alone.
    ``label_weight`` is that of the strong view's cross-entropy with the labels, ``loss_mlkd_labels``; the other view's
    is the task's loss. ``standardise`` is LSKD's. ``upstream=True`` is what the released trainer does
    (``mlkd_upstream_parts``).

    Published: weight 0.9 (LSKD's copy: 9), 0.1 for the labels of each view; ``label_weight`` is their quotient, 1/9.

    Several labels: ``form`` is ``"softmax"`` for one label a clip and ``"bernoulli"`` for several; the data's task
    settles it. The Bernoulli form (ours) has none of ``upstream``.

    Limits: ``strong=True`` needs data with a strong view of each clip (``<modality>_strong``).

    Deviations: by default this is the plain sum of all terms, over one view; the published numbers rest on
    ``strong=True`` and ``upstream=True``, whose masks only scale.
    """

    def __init__(
        self,
        taus: Sequence[float] = TAUS,
        strong: bool = False,
        standardise: bool = False,
        upstream: bool = False,
        label_weight: float = 0.0,
        form: str = "softmax",
    ):
        super().__init__()
        if label_weight and not strong:
            raise ValueError("MLKD with label_weight reads the strong view's labels; give strong=True")
        if upstream and not strong:
            raise ValueError("MLKD with upstream=True reads two views; give strong=True")
        if upstream and form == "bernoulli":
            raise ValueError("MLKD with upstream=True has no Bernoulli form; give upstream=False")
        self.taus, self.strong, self.standardise = tuple(map(checked_temperature, taus)), strong, standardise
        self.upstream, self.label_weight, self.form = upstream, label_weight, known_form(form)
        self.needs = self.needs_for({"strong": strong, "label_weight": label_weight})

    @classmethod
    def needs_for(cls, config: dict[str, Any]) -> Needs:
        read = ("logits", "logits_strong") if config.get("strong") else ("logits",)
        return Needs(student=read, teacher=read, batch=("target",) if config.get("label_weight") else ())

    @staticmethod
    def infer(student: Fields, teacher: Fields, data: DataSpec) -> dict[str, Any]:
        return {"form": "bernoulli" if data.task == MULTI_LABEL else "softmax"}

    def forward(self, student: Fields, teacher: Fields, batch: Fields) -> dict[str, Tensor]:
        views = [(student.logits, teacher.logits.detach())]
        if self.strong:
            views.append((student.logits_strong, teacher.logits_strong.detach()))
        if self.upstream:
            parts = [mlkd_upstream_parts(*views, self.taus, self.standardise)]
        else:
            parts = [mlkd_parts(*view, self.taus, self.standardise, self.form) for view in views]
        losses = {f"loss_mlkd_{name}": sum(part[name] for part in parts) for name in parts[0]}
        if self.label_weight:
            losses["loss_mlkd_labels"] = self.label_weight * self._labels(student.logits_strong, batch.target)
        return losses

    def _labels(self, logits: Tensor, target: Tensor) -> Tensor:
        if self.form == "bernoulli":
            logits, target = binary_logits(logits), binary_target(target)
        return labels_loss(logits, target)
