"""Cross-Modality Distillation for Multi-View Action Recognition (Liu et al., IJCCC 2025).

doi 10.15837/ijccc.2025.5.6883. A skeleton teacher, one student a view, pseudo-labels for clips without a label,
agreement of the students.
"""

from typing import Any

import torch
from torch import Tensor, nn

from ..mixture import log_mean
from ..registry import DISTILLERS, near
from ..spec import IGNORED, SINGLE_LABEL, STRONG, DataSpec, Fields, Needs
from .alignment import DistributionAlignment
from .base import Distiller
from .dml import labels_loss
from .infonce import info_nce_loss
from .kd import kd_loss
from .precision import precise
from .processes import sum_over_processes
from .temperature import checked_temperature

RULES = ("threshold", "balanced", "all")
SOURCES = ("teacher", "joint")
AGREEMENTS = ("mutual", "jsd")


def pseudo_labels(teacher: Tensor, threshold: float | Tensor) -> Tensor:
    """The teacher's class where its probability is at least ``threshold``, else -100: ``(B, K)`` to ``(B,)`` int64.

    ``threshold`` in [0, 1] is one for all, or ``(K,)``, one for each class.

    >>> pseudo_labels(torch.tensor([[4.0, 0.0], [0.1, 0.0]]), threshold=0.9)
    tensor([   0, -100])
    """
    confidence, label = precise(teacher)[0].softmax(1).max(1)
    if isinstance(threshold, Tensor):
        threshold = threshold[label]
    return label.masked_fill(confidence < threshold, IGNORED)


def flexible_thresholds(counts: Tensor, threshold: float) -> Tensor:
    """A threshold for each class, ``(K,)``: lower where fewer clips have passed it, ``threshold * b / (2 - b)``.

    ``counts`` ``(K,)`` are the clips of each class that the teacher was sure of, ``b`` their share of the largest
    count (FlexMatch, Zhang et al., NeurIPS 2021: curriculum thresholds in their convex mapping). Before any clip all
    have ``threshold``.

    >>> flexible_thresholds(torch.tensor([4.0, 2.0, 0.0]), threshold=0.9)
    tensor([0.9000, 0.3000, 0.0000])
    """
    share = torch.where(counts.max() > 0, counts / counts.max().clamp(min=1), 1.0)
    return threshold * share / (2 - share)


def agreement_loss(
    views: Tensor, form: str = "mutual", detach: bool = False, shown: Tensor | None = None
) -> Tensor:
    """How far the students of a clip's views are apart; logits ``(B, V, K)``, temperature 1, mean over clips.

    ``"mutual"``: ``1/V sum_v 1/(V-1) sum_{u != v} KL(q_u || q_v)``; with ``detach`` each view is a constant for the
    others. ``"jsd"``: the entropy of the mean distribution less the mean entropy, to which ``detach`` does nothing.
    ``shown`` ``(B, V)`` bool says which views are there: V is then a clip's own, and clips of fewer than two views do
    not count. One view is exactly 0.

    >>> agreement_loss(torch.eye(2)[None], "mutual"), agreement_loss(torch.eye(2)[None], "jsd")
    (tensor(0.4621), tensor(0.1109))
    """
    (views,) = precise(views)
    logs = views.log_softmax(2)
    if shown is None:
        shown = torch.ones(views.shape[:2], dtype=torch.bool, device=views.device)
    count = shown.sum(1)
    each = _jsd(logs, shown) if form == "jsd" else _mutual(logs, shown, detach)
    has_pairs = count > 1
    return torch.where(has_pairs, each, 0.0).sum() / has_pairs.sum().clamp(min=1)


def _mutual(logs: Tensor, shown: Tensor, detach: bool) -> Tensor:
    """The mean KL over ordered pairs of a clip's views, ``(B,)``."""
    others, count = logs.detach() if detach else logs, shown.sum(1)
    divergence = (others.exp()[:, :, None] * (others[:, :, None] - logs[:, None])).sum(3)  # (B, u, v)
    both = shown[:, :, None] & shown[:, None]
    return (divergence * both).sum((1, 2)) / (count * (count - 1)).clamp(min=1)


def _jsd(logs: Tensor, shown: Tensor) -> Tensor:
    """The entropy of the mean over a clip's views less their mean entropy, ``(B,)``."""
    mean = _entropy(log_mean(logs, shown))
    return mean - (_entropy(logs) * shown).sum(1) / shown.sum(1).clamp(min=1).to(logs.dtype)


def joint_logits(teacher: Tensor, views: Tensor, shown: Tensor | None = None) -> Tensor:
    """What teacher and students say together: ``log`` of the teacher's times the students' mean probabilities.

    Logits ``(B, K)`` and ``(B, V, K)``, with ``shown`` as in ``log_mean``, to ``(B, K)``, which no gradient passes. A
    product of experts (Hinton, Neural Computation 2002): of two modalities that err apart, the sure one decides.

    >>> joint_logits(torch.tensor([[2.0, 0.0]]), torch.tensor([[[0.0, 3.0]]])).softmax(1)
    tensor([[0.2689, 0.7311]])
    """
    teacher, views = precise(teacher.detach(), views.detach())
    return teacher.log_softmax(1) + log_mean(views.log_softmax(2), shown)


def _entropy(logs: Tensor) -> Tensor:
    return -(logs.exp() * logs).sum(-1)


def _check_choices(rule: str, source: str, agreement_form: str, threshold: float) -> None:
    choices = (
        ("rule", rule, RULES),
        ("source", source, SOURCES),
        ("agreement_form", agreement_form, AGREEMENTS),
    )
    for name, chosen, known in choices:
        if chosen not in known:
            raise ValueError(f"{name} '{chosen}' is unknown; {near(chosen, known)}")
    if not 0 <= threshold <= 1:
        raise ValueError(f"a threshold of {threshold} was asked for; it is a probability in [0, 1]")


@DISTILLERS.register_module()
class CrossView(Distiller):
    """Skeleton teacher, students of other modalities, of which one for each view; reads ``peers`` ``(B, V, K)``.

    - ``loss_crossview_labels``: cross-entropy of each student with the labels, over labelled clips (S3);
    - ``loss_crossview_logit``: ``kd_loss`` from the teacher to each student at ``tau``, over all clips (S4);
    - ``loss_crossview_pseudo``: cross-entropy of each student, on the stronger view where ``strong``, with the
      teacher's class of unlabelled clips, summed over those that ``rule`` admits, divided by all unlabelled ones (S5);
    - ``loss_crossview_agreement``: ``agreement_loss`` of the students in the form ``agreement_form``; ``detach`` stops
      the gradient of ``"mutual"`` into the student that is imitated, and does nothing to ``"jsd"`` (S6);
    - ``loss_crossview_contrast``: InfoNCE between the embeddings of teacher and students, each embedded in ``feat_dim``
      numbers, own clip against those of the batch (S7).

    ``labels``, ``logit``, ``pseudo``, ``agreement`` and ``contrast`` are the weights; a term of weight 0 is left out
    for good and reads nothing.
    ``rule``: ``"threshold"`` admits clips whose teacher is sure by ``threshold``, ``"balanced"`` lowers it for classes
    that it is seldom sure of (``flexible_thresholds``), ``"all"`` admits all (Thoker and Gall, ICIP 2019).
    ``source`` names those classes: ``"teacher"``, or ``"joint"``, teacher and students together (``joint_logits``).
    ``align`` shifts the teacher's logits, and those of ``"joint"``, until all classes are named equally often
    (``DistributionAlignment``), which assumes that training clips are so. ``views=False`` is for one student, which
    gives ``logits`` ``(B, K)``; it has no agreement. Where the student says which views are there, ``view_shown``
    ``(B, V)``, an absent one has no part in any term.

    Published: none of the equations, weights and temperatures could be read; sums, 1, 1, 0.5 and 0.1, ``tau`` 4 and
    ``threshold`` 0.95 are a reconstruction from the abstract and the references (S1 to S8). ``source`` and
    ``align`` are ours.

    Limits: one label a clip; no contrast where views may be absent. The task's loss reads the fused logits, not each
    student's, so rows give it weight 0.

    Deviations: unknown; see above.
    """

    needs = Needs(student=("peers",), teacher=("logits",), batch=("target",), tasks=(SINGLE_LABEL,))

    def __init__(
        self,
        labels: float = 1.0,
        logit: float = 1.0,
        pseudo: float = 1.0,
        agreement: float = 0.5,
        contrast: float = 0.0,
        tau: float = 4.0,
        threshold: float = 0.95,
        rule: str = "threshold",
        source: str = "teacher",
        align: bool = False,
        strong: bool = False,
        views: bool = True,
        agreement_form: str = "mutual",
        detach: bool = True,
        num_classes: int = 0,
        student_dim: int = 0,
        teacher_dim: int = 0,
        feat_dim: int = 128,
        contrast_tau: float = 0.07,
    ):
        super().__init__()
        _check_choices(rule, source, agreement_form, threshold)
        self.labels, self.logit, self.pseudo = labels, logit, pseudo
        self.agreement, self.contrast = agreement, contrast
        self.leave_out(
            labels=labels, logit=logit, pseudo=pseudo, agreement=agreement * views, contrast=contrast
        )
        self.tau, self.threshold, self.rule, self.strong = checked_temperature(tau), threshold, rule, strong
        self.views, self.agreement_form, self.detach = views, agreement_form, detach
        self.contrast_tau, self.source = checked_temperature(contrast_tau, "contrast_tau"), source
        self.needs = self.needs_for(vars(self))
        counts = pseudo and rule == "balanced"
        if (align or counts) and num_classes < 1:
            raise ValueError(
                f"align and rule='balanced' count classes, of which there are {num_classes}; give num_classes="
            )
        if contrast and min(student_dim, teacher_dim) < 1:
            raise ValueError(
                f"contrast embeds {student_dim} and {teacher_dim} numbers; give student_dim= and teacher_dim="
            )
        if counts:
            self.register_buffer("sure", torch.zeros(num_classes))
        self.align = DistributionAlignment(num_classes) if align else nn.Identity()
        joint = align and pseudo and source == "joint"
        self.align_joint = DistributionAlignment(num_classes) if joint else nn.Identity()
        if contrast:
            self.embed_student = nn.Linear(student_dim, feat_dim)
            self.embed_teacher = nn.Linear(teacher_dim, feat_dim)

    @classmethod
    def needs_for(cls, config: dict[str, Any]) -> Needs:
        views, contrast = config.get("views", True), config.get("contrast", 0.0)
        student = ["peers" if views else "logits"]
        if config.get("pseudo", 1.0) and config.get("strong", False):
            student.append(student[0] + STRONG)
        if contrast:
            student.append("view_embeddings" if views else "embedding")
        reads_labels = config.get("labels", 1.0) or config.get("pseudo", 1.0)
        teacher = ["logits"] if config.get("logit", 1.0) or config.get("pseudo", 1.0) else []
        return Needs(
            student=tuple(student),
            teacher=(*teacher, "embedding") if contrast else tuple(teacher),
            batch=("target",) if reads_labels else (),
            tasks=(SINGLE_LABEL,),
        )

    @classmethod
    def complete(
        cls, config: dict[str, Any], student: Fields, teacher: Fields, data: DataSpec
    ) -> dict[str, Any]:
        found: dict[str, Any] = {"num_classes": data.num_classes}
        if config.get("contrast", 0.0):
            name = "view_embeddings" if config.get("views", True) else "embedding"
            if config.get("views", True) and "view_shown" in student:
                raise ValueError(
                    "contrast compares whole batches, and views may be absent here; give contrast=0"
                )
            own = student[name][0]
            found["student_dim"] = (own[0] if config.get("views", True) else own).numel()
            found["teacher_dim"] = teacher.embedding[0].numel()
        return {**found, **config}

    def forward(self, student: Fields, teacher: Fields, batch: Fields) -> dict[str, Tensor]:
        views = self._views(student, "")
        shown, losses, left_out = self._shown(student, views), {}, self.left_out
        if "labels" not in left_out:
            losses["labels"] = self.labels * self._labels(views, shown, batch.target)
        if not {"logit", "pseudo"} <= left_out:
            sure = self.align(teacher.logits.detach())
        if "logit" not in left_out:
            losses["logit"] = self.logit * self._logit(views, shown, sure)
        if "pseudo" not in left_out:
            names = self._names(teacher.logits, views, shown) if self.source == "joint" else sure
            losses["pseudo"] = self.pseudo * self._pseudo(student, shown, names, batch.target)
        if "agreement" not in left_out:
            agreement = agreement_loss(views, self.agreement_form, self.detach, shown)
            losses["agreement"] = self.agreement * agreement
        if "contrast" not in left_out:
            losses["contrast"] = self.contrast * self._contrast(student, teacher)
        return {f"loss_crossview_{name}": value for name, value in losses.items()}

    def _views(self, student: Fields, suffix: str) -> Tensor:
        """The students' logits ``(B, V, K)``."""
        return student[f"peers{suffix}"] if self.views else student[f"logits{suffix}"].unsqueeze(1)

    def _shown(self, student: Fields, views: Tensor) -> Tensor:
        """Which views are there, ``(B, V)`` bool."""
        if self.views and "view_shown" in student:
            return student.view_shown
        return torch.ones(views.shape[:2], dtype=torch.bool, device=views.device)

    def _labels(self, views: Tensor, shown: Tensor, target: Tensor) -> Tensor:
        """Cross-entropy with the targets, mean over the clips of each student, then over students."""
        pairs = zip(views.unbind(1), shown.unbind(1), strict=True)
        each = [labels_loss(view, target.masked_fill(~there, IGNORED)) for view, there in pairs]
        return torch.stack(each).mean()

    def _logit(self, views: Tensor, shown: Tensor, teacher: Tensor) -> Tensor:
        each = []
        for view, there in zip(views.unbind(1), shown.unbind(1), strict=True):
            own = torch.where(
                there[:, None], view, teacher.to(view.dtype)
            )  # what is absent agrees, at no gradient
            each.append(kd_loss(own, teacher, self.tau) * len(there) / there.sum().clamp(min=1))
        return torch.stack(each).mean()

    def _names(self, teacher: Tensor, views: Tensor, shown: Tensor) -> Tensor:
        """The logits of teacher and students together."""
        return self.align_joint(joint_logits(teacher, views, shown))

    def _pseudo(self, student: Fields, shown: Tensor, names: Tensor, target: Tensor) -> Tensor:
        unlabelled = target < 0
        label = pseudo_labels(names, self._threshold()).masked_fill(~unlabelled, IGNORED)
        self._count(names)
        views, each = self._views(student, STRONG if self.strong else ""), []
        for view, there in zip(views.unbind(1), shown.unbind(1), strict=True):
            own = label.masked_fill(~there, IGNORED)
            admitted = (own >= 0).sum() / (unlabelled & there).sum().clamp(min=1)
            each.append(admitted * labels_loss(view, own))
        return torch.stack(each).mean()

    def _threshold(self) -> float | Tensor:
        if self.rule == "balanced":
            return flexible_thresholds(self.sure, self.threshold)
        return 0.0 if self.rule == "all" else self.threshold

    @torch.no_grad()
    def _count(self, teacher: Tensor) -> None:
        if self.rule == "balanced" and self.training:
            label = pseudo_labels(teacher, self.threshold)
            classes = torch.arange(len(self.sure), device=label.device)
            named = (label.reshape(-1, 1) == classes).sum(0)
            self.sure += sum_over_processes(named).to(self.sure)

    def _contrast(self, student: Fields, teacher: Fields) -> Tensor:
        own = student.view_embeddings.flatten(2) if self.views else student.embedding.flatten(1).unsqueeze(1)
        target = self.embed_teacher(teacher.embedding.detach().flatten(1))
        pairs = [info_nce_loss(self.embed_student(view), target, self.contrast_tau) for view in own.unbind(1)]
        return torch.stack(pairs).mean()
