"""Task losses: what a student learns from labels; nothing about distillation.

Each is called with the student's fields and the batch and returns ``{"loss_task": scalar, ...}``. Means are over what
is labelled in the batch of one process (docs/conventions.md, "Several processes").
"""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .registry import LOSSES, near
from .spec import IGNORED, MULTI_LABEL, SINGLE_LABEL, Fields, Needs

HUMAN_FORMS = ("normalised", "sums", "frame")
_ACTIONNESS = ("actionness_temporal", "actionness_spatial")


def two_way_loss(
    logits: Tensor, target: Tensor, positive_temperature: float = 4.0, negative_temperature: float = 1.0
) -> Tensor:
    """Two-way multi-label loss (Kobayashi, CVPR 2023): positives above negatives, by class and by clip.

    ``logits`` and the 0/1 ``target`` are ``(B, K)``. Classes and clips without a positive are left out, and entries
    below zero, which are unlabelled.
    """
    logits = _precise(logits)
    positive, negative = target > 0.5, (target >= 0) & (target <= 0.5)
    masked = -1e30  # not the reference's -100, which large logits fall below

    def softplus_of_both(axis: int) -> Tensor:
        above = (-logits / positive_temperature).masked_fill(~positive, masked).logsumexp(axis)
        below = (logits / negative_temperature).masked_fill(~negative, masked).logsumexp(axis)
        some = positive.any(axis).to(logits.dtype)
        each = F.softplus(negative_temperature * below + positive_temperature * above)
        return (each * some).sum() / some.sum().clamp(min=1)

    return softplus_of_both(0) + softplus_of_both(1)


def generalised_cross_entropy(probability: Tensor, target: Tensor, q: float = 0.7) -> Tensor:
    """Noise-robust cross-entropy (Zhang and Sabuncu, NeurIPS 2018) of 0/1 targets, balanced within each row.

    ``probability`` in (0, 1) and ``target`` are ``(B, T)``; positives and negatives are averaged separately. Entries
    below zero are unlabelled, and rows of nothing else are left out.
    """
    probability, known = _precise(probability), target >= 0
    rows = known.any(1).sum().clamp(min=1)

    def balanced(each: Tensor, weight: Tensor) -> Tensor:
        weight = weight * known
        return ((each * weight).sum(1) / weight.sum(1).clamp(min=1e-7)).sum() / rows

    missed = (1 - probability.clamp(min=1e-7) ** q) / q
    raised = (1 - (1 - probability).clamp(min=1e-7) ** q) / q
    return balanced(missed, target) + balanced(raised, 1 - target)


def pseudo_actionness(best: Tensor, target: Tensor) -> Tensor:
    """1 for frames among the best of some class that the clip has, else 0: ``(B, T)``; -1 for clips without a label.

    ``best`` is bool ``(B, T, K)``, ``target`` 0/1 ``(B, K)``, below zero where unlabelled (MultiASL's targets of
    actionness; Nguyen et al., ACM Multimedia Asia 2024, from the authors' code).

    >>> pseudo_actionness(torch.tensor([[[True, False], [False, True]]]), torch.tensor([[0.0, 1.0]]))
    tensor([[0., 1.]])
    """
    found = (best & (target > 0.5)[:, None]).any(2).float()
    return found.masked_fill((target < 0).all(1, keepdim=True), -1)


def human_loss(logits: Tensor, scores: Tensor, form: str = "normalised") -> Tensor:
    """How far a human head's ``logits`` ``(B, V, T)`` are from a detector's person ``scores`` ``(B, V, T)`` in [0, 1].

    ``"normalised"``: ``-sum_t p_t log softmax_t(logits)`` with ``p = scores / sum_t scores``, the mean over the views
    of clips that show somebody. ``"sums"``: the scores themselves in place of ``p``, the mean over all views, as in the
    code of MultiTSF (Nguyen et al., FG 2025): views count by how much of people they show, and nobody is no target.
    ``"frame"`` (ours): the binary cross-entropy of every frame. Nobody anywhere is exactly 0 in the first two.

    >>> human_loss(torch.zeros(1, 2, 4), torch.tensor([[[0.0, 0.5, 0.5, 0.0], [0.0, 0.0, 0.0, 0.0]]]))
    tensor(1.3863)
    """
    if form not in HUMAN_FORMS:
        raise ValueError(f"the human loss '{form}' is unknown; {near(form, HUMAN_FORMS)}")
    logits = _precise(logits)
    scores = scores.to(logits.dtype)
    if form == "frame":
        return F.binary_cross_entropy_with_logits(logits, scores)
    each = -(scores * logits.log_softmax(-1)).sum(-1)
    if form == "sums":
        return each.mean()
    total = scores.sum(-1)
    shown = total > 0
    return (each / total.masked_fill(~shown, 1)).sum() / shown.sum().clamp(min=1)


def _precise(values: Tensor) -> Tensor:
    return values.to(torch.promote_types(values.dtype, torch.float32))


@LOSSES.register_module()
class CrossEntropy(nn.Module):
    """Cross-entropy over the labelled clips of a batch; exactly zero where none is labelled."""

    needs = Needs(batch=("target",), teacher=(), tasks=(SINGLE_LABEL,))

    def __init__(self, label_smoothing: float = 0.0):
        super().__init__()
        self.label_smoothing = label_smoothing

    def forward(self, student: Fields, batch: Fields) -> dict[str, Tensor]:
        logits, target = student.logits.float(), batch.target
        total = F.cross_entropy(
            logits, target, reduction="sum", ignore_index=IGNORED, label_smoothing=self.label_smoothing
        )
        return {"loss_task": total / (target != IGNORED).sum().clamp(min=1)}


@LOSSES.register_module()
class BinaryCrossEntropy(nn.Module):
    """Binary cross-entropy of sequence logits, and of frame logits with ``frame_weight``.

    Entries below zero are unlabelled. ``scale`` multiplies both terms (the mean over classes makes them small).
    """

    def __init__(self, scale: float = 1.0, frame_weight: float = 0.0):
        super().__init__()
        self.scale, self.frame_weight = scale, frame_weight
        frame = ("frame_logits",) if frame_weight else ()
        self.needs = Needs(
            student=("logits", *frame),
            teacher=(),
            batch=("target", *(("frame_target",) if frame_weight else ())),
            tasks=(MULTI_LABEL,),
        )

    def forward(self, student: Fields, batch: Fields) -> dict[str, Tensor]:
        losses = {"loss_task": self.scale * _masked_bce(student.logits, batch.target)}
        if self.frame_weight:
            frame = _masked_bce(student.frame_logits, batch.frame_target)
            losses["loss_task_frame"] = self.scale * self.frame_weight * frame
        return losses


def _masked_bce(logits: Tensor, target: Tensor) -> Tensor:
    known = (target >= 0).float()
    each = F.binary_cross_entropy_with_logits(
        logits.float(), target.float().clamp(min=0), weight=known, reduction="sum"
    )
    return each / known.sum().clamp(min=1)


@LOSSES.register_module()
class GeneralisedCrossEntropy(nn.Module):
    """``(1 - p^q) / q`` of the label's probability (Zhang and Sabuncu, NeurIPS 2018): between cross-entropy and error.

    For one label a clip the mean over labelled clips; for several ``generalised_cross_entropy`` of the sigmoids.
    """

    needs = Needs(batch=("target",), teacher=())

    def __init__(self, q: float = 0.7):
        super().__init__()
        if not 0 < q <= 1:
            raise ValueError(f"q={q} is no exponent of the generalised cross-entropy; there is: (0, 1]")
        self.q = q

    def forward(self, student: Fields, batch: Fields) -> dict[str, Tensor]:
        logits, target = _precise(student.logits), batch.target
        if target.dim() == 2:
            return {"loss_task": generalised_cross_entropy(logits.sigmoid(), target, self.q)}
        labelled = target != IGNORED
        label = target.clamp(min=0)[:, None]
        each = (1 - (self.q * logits.log_softmax(1).gather(1, label)[:, 0]).exp()) / self.q
        return {"loss_task": (each * labelled).sum() / labelled.sum().clamp(min=1)}


@LOSSES.register_module()
class TwoWay(nn.Module):
    """``two_way_loss`` of the sequence logits, and of every frame's with ``frame_weight``.

    Frames are rows like clips, ``(B * T, K)`` (Nguyen et al., MultiTSF, arXiv 2504.02279, from the authors' code).
    """

    def __init__(
        self,
        positive_temperature: float = 4.0,
        negative_temperature: float = 1.0,
        frame_weight: float = 0.0,
    ):
        super().__init__()
        self.temperatures, self.frame_weight = (positive_temperature, negative_temperature), frame_weight
        frame = ("frame_logits",) if frame_weight else ()
        self.needs = Needs(
            student=("logits", *frame),
            teacher=(),
            batch=("target", *(("frame_target",) if frame_weight else ())),
            tasks=(MULTI_LABEL,),
        )

    def forward(self, student: Fields, batch: Fields) -> dict[str, Tensor]:
        losses = {"loss_task": two_way_loss(student.logits, batch.target, *self.temperatures)}
        if self.frame_weight:
            rows = student.frame_logits.flatten(0, 1), batch.frame_target.flatten(0, 1)
            losses["loss_task_frame"] = self.frame_weight * two_way_loss(*rows, *self.temperatures)
        return losses


@LOSSES.register_module()
class ActionSelection(TwoWay):
    """MultiASL's loss: ``TwoWay(logits) + TwoWay(token_logits) + GCE(a_temporal, g) + GCE(a_spatial, g)``.

    ``g`` is ``pseudo_actionness`` of the student's ``best_frames``, GCE ``generalised_cross_entropy`` with ``q``.
    ``token_weight`` and ``actionness_weight`` (1 in the authors' code) are 0 for a term that is left out;
    ``frame_weight`` as in ``TwoWay``. Source: Multi-view Action Selection Learning (Nguyen et al., ACM Multimedia Asia
    2024) and its code.
    """

    def __init__(
        self, q: float = 0.7, token_weight: float = 1.0, actionness_weight: float = 1.0, **two_way: float
    ):
        super().__init__(**two_way)
        self.q, self.token_weight, self.actionness_weight = q, token_weight, actionness_weight
        token = ("token_logits",) if token_weight else ()
        actionness = (*_ACTIONNESS, "best_frames") if actionness_weight else ()
        self.needs = replace(self.needs, student=(*self.needs.student, *token, *actionness))

    def forward(self, student: Fields, batch: Fields) -> dict[str, Tensor]:
        losses = super().forward(student, batch)
        if self.token_weight:
            token = two_way_loss(student.token_logits, batch.target, *self.temperatures)
            losses["loss_task_token"] = self.token_weight * token
        if self.actionness_weight:
            target = pseudo_actionness(student.best_frames, batch.target)
            both = sum(generalised_cross_entropy(student[name], target, self.q) for name in _ACTIONNESS)
            losses["loss_task_actionness"] = self.actionness_weight * both
        return losses


@LOSSES.register_module()
class HumanCentric(TwoWay):
    """MultiTSF's loss: ``TwoWay(logits) + frame_weight * TwoWay(frame_logits) + human_weight * human_loss``.

    ``human_loss`` holds the student's ``human_logits`` against the field ``visible``, where it has a detector's scores;
    ``human_form`` is its form. The authors weigh all by 1 and take the form ``"sums"``, whose targets are no
    distribution; that is why ours is ``"normalised"``. Source: MultiTSF (Nguyen et al., FG 2025) and its code.
    """

    def __init__(self, human_weight: float = 1.0, human_form: str = "normalised", **two_way: float):
        super().__init__(**two_way)
        if human_form not in HUMAN_FORMS:
            raise ValueError(f"the human loss '{human_form}' is unknown; {near(human_form, HUMAN_FORMS)}")
        self.human_weight, self.human_form = human_weight, human_form
        needs = self.needs
        self.needs = replace(needs, student=(*needs.student, "human_logits"), batch=(*needs.batch, "visible"))

    def forward(self, student: Fields, batch: Fields) -> dict[str, Tensor]:
        human = human_loss(student.human_logits, batch.visible, self.human_form)
        return {**super().forward(student, batch), "loss_task_human": self.human_weight * human}


def default_task_loss(task: str) -> nn.Module:
    """Cross-entropy for one label a clip, binary cross-entropy for several."""
    return CrossEntropy() if task == SINGLE_LABEL else BinaryCrossEntropy()


def probabilities(logits: Tensor, task: str) -> Tensor:
    """Class scores in [0, 1] ``(B, K)``: softmax for one label a clip, sigmoid for several."""
    return torch.softmax(logits, -1) if task == SINGLE_LABEL else torch.sigmoid(logits)
