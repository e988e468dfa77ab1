"""View-aware Cross-modal Distillation for Multi-view Action Recognition (Nguyen et al., WACV 2026).

The paper's (arXiv 2511.12870) equations could not be read. Certain are distillation of features and of logits, and a
confidence-weighted Jensen-Shannon divergence between views which, by person masks, see the action together. Everything
beyond that is our reconstruction; doubtful choices are arguments.
"""

import inspect
from typing import Any

from torch import Tensor, nn

from ..registry import DISTILLERS
from ..spec import MULTI_LABEL, DataSpec, Fields, Needs
from .base import Distiller
from .fitnet import hint_loss
from .kd import FORMS
from .temperature import checked_temperature
from .view_divergence import (
    CONFIDENCES,
    DIVERGENCES,
    LEVELS,
    compared_views,
    generalised_divergence,
    known,
    pairwise_divergence,
    view_confidence,
)

LOGITS = {"sequence": "logits", "frame": "frame_logits"}
VIEW_LOGITS = {"frame": "view_frame_logits", "sequence": "view_frame_logits", "view": "view_logits"}
_CHOICES = {
    "form": tuple(FORMS),
    "logit_level": tuple(LOGITS),
    "level": LEVELS,
    "confidence": CONFIDENCES,
    "divergence": DIVERGENCES,
    "view_form": tuple(FORMS),
    "persons": ("visible", "mask"),
}


def view_consistency(
    logits: Tensor,
    seen: Tensor | None,
    confidence: str = "max",
    scores: Tensor | None = None,
    divergence: str = "pairwise",
    level: str = "frame",
    form: str = "softmax",
    epsilon: float = 1e-8,
) -> Tensor:
    """``sum m_i m_j c_i c_j JSD(q_i, q_j) / (sum m_i m_j c_i c_j + epsilon)`` over clips, frames and pairs of views.

    ``logits`` are ``(B, V, T, K)``; ``seen`` ``(B, V, T)`` is positive where a view sees a person (m = 1), None for
    everywhere. The result is in [0, ln 2] for pairs, [0, ln V] else, and exactly 0 with zero gradients where no two
    views see somebody at once. What a view predicts where it sees nobody is not looked at, be it finite or not.

    - ``confidence`` c, without gradient: ``"max"`` probability, ``"entropy"`` (``1 - H / ln K``), ``"detector"``
      (``scores`` ``(B, V, T)`` in [0, 1]) or ``"none"`` (1).
    - ``divergence``: ``"pairwise"``, or ``"generalised"``, of all views at once with shares ``c_n / sum c``. A frame
      weighs what its pairs weigh together, so that for two equally sure views both forms agree.
    - ``level``: ``"frame"``; ``"sequence"``, each view's mean probability over the frames in which it sees somebody,
      in pairs that do so at once in some frame; ``"view"``, logits ``(B, V, K)`` in such pairs.
    - ``form``: ``"softmax"`` over classes, or ``"bernoulli"``, where each class is a question of its own.

    >>> import torch
    >>> logits = torch.tensor([[[[0.0, 1.0]], [[1.0, 0.0]], [[9.0, 0.0]]]])
    >>> view_consistency(logits, seen=torch.tensor([[[1], [1], [0]]]))
    tensor(0.1109)
    >>> view_consistency(logits, seen=torch.tensor([[[1], [0], [0]]]))
    tensor(0.)
    """
    known("divergence", divergence, DIVERGENCES)
    views = compared_views(logits, seen, scores, level, form)
    compare = pairwise_divergence if divergence == "pairwise" else generalised_divergence
    each, weight = compare(views, view_confidence(views, confidence))
    weight = weight.expand_as(each)
    return (weight * each).sum() / (weight.sum() + epsilon)


def person_scores(persons: Tensor) -> Tensor:
    """How surely each view shows a person, ``(B, V, T)`` in [0, 1]: scores as they are, pixels by their highest.

    ``persons`` is ``(B, V, T)``, or ``(B, V, T, H, W)``, where one pixel of a mask is enough.

    >>> import torch
    >>> person_scores(torch.tensor([[[[[0.0, 1.0]], [[0.0, 0.0]]]]]))
    tensor([[[1., 0.]]])
    """
    persons = persons.float()
    return persons.flatten(3).amax(3) if persons.dim() == 5 else persons


def _needs(options: Any) -> Needs:
    """What ViCoKD reads with these options (its arguments, as attributes)."""
    for what, there in _CHOICES.items():
        known(what, getattr(options, what), there)
    if not (options.feature or options.logit or options.consistency):
        raise ValueError(
            "ViCoKD needs a term; there is: feature, logit, consistency; give one a weight above 0"
        )
    pairs = _compared(options)
    own = (VIEW_LOGITS[options.level],) if options.consistency else ()
    reads_persons = options.consistency and (options.mask or options.confidence == "detector")
    return Needs(
        student=(*(student for student, _ in pairs), *own),
        teacher=tuple(teacher for _, teacher in pairs),
        batch=(options.persons,) if reads_persons else (),
    )


def _compared(options: Any) -> list[tuple[str, str]]:
    """The taps of the student and of the teacher that are compared."""
    pairs = []
    if options.feature:
        pairs.append((options.feature_tap, options.teacher_tap or options.feature_tap))
    if options.logit:
        pairs.append((LOGITS[options.logit_level],) * 2)
    return pairs


def _check_axes(names: tuple[str, str], student: Any, teacher: Any) -> None:
    """Refuse taps that cannot be compared row by row."""
    for name, tap in zip(names, (student, teacher), strict=True):
        if not isinstance(tap, Tensor):
            raise ValueError(f"the tap '{name}' is a list; give feature_tap= of one tensor, or feature=0")
    if student.shape[:-1] != teacher.shape[:-1]:
        raise ValueError(
            f"the student's '{names[0]}' are {tuple(student.shape)} and the teacher's '{names[1]}' "
            f"{tuple(teacher.shape)}, of other views or frames; take networks with the same, or give feature_tap= "
            "or logit_level= of what they share"
        )


def _check_views(logits: Tensor, options: Fields, data: DataSpec) -> None:
    """Refuse masks of other views or frames than the student's."""
    masks, axes = tuple(data.fields[options.persons]), 1 if options.level == "view" else 2
    if logits.shape[1 : 1 + axes] != masks[:axes]:
        raise ValueError(
            f"the student's '{VIEW_LOGITS[options.level]}' are {tuple(logits.shape)} and '{options.persons}' is "
            f"{masks} a clip, of other views or frames; take a network with the same, or give level='view', "
            "mask=False or consistency=0"
        )


@DISTILLERS.register_module()
class ViCoKD(Distiller):
    """``feature * L_feature + logit * L_logit + consistency * L_consistency``; a weight of 0 switches a term off.

    - L_feature: ``hint_loss`` of the tap ``feature_tap`` ``(..., D)`` and the teacher's ``teacher_tap`` (the same
      unless said): ``"features"`` of each view and frame, ``"fused"``, or ``"hallucinated"`` with the teacher's
      ``"audio_features"``. A trained linear map comes between where ``student_dim`` is not ``teacher_dim``.
    - L_logit: KD with ``tau``, in the ``form`` ``"softmax"`` or ``"bernoulli"``, at the ``logit_level`` ``"sequence"``
      or ``"frame"``.
    - L_consistency: ``view_consistency`` of the student's own views; ``level``, ``confidence`` (``"none"`` is without),
      ``divergence`` and ``view_form`` are its arguments. ``persons`` is the field of the batch that says where people
      are: ``"visible"`` ``(V, T)``, bool or a detector's scores, or ``"mask"`` ``(V, T, H, W)``; a view sees somebody
      from a score of ``threshold`` on. ``mask=False`` compares all views at all frames.

    The paper's cross-modal adapter and attention are part of the student's network. Without ``feature`` and ``logit``
    no teacher is needed.

    Published: no weight and no temperature could be read.

    Several labels: ``form`` is ``"softmax"`` for one label a clip and ``"bernoulli"`` for several; the data's task
    settles it. ``view_form`` stays ``"softmax"``, as the paper speaks of class distributions.

    Limits: student and teacher have the same views and frames where they are compared.

    Deviations: unknown, as the equations could not be read; formulas, weights, ``tau`` and ``threshold`` are our
    reconstruction.
    """

    needs = Needs(
        student=("features", "logits", "view_frame_logits"),
        teacher=("features", "logits"),
        batch=("visible",),
    )

    def __init__(
        self,
        feature: float = 1.0,
        logit: float = 1.0,
        consistency: float = 0.1,
        tau: float = 4.0,
        form: str = "softmax",
        feature_tap: str = "features",
        teacher_tap: str | None = None,
        logit_level: str = "sequence",
        level: str = "frame",
        mask: bool = True,
        confidence: str = "max",
        divergence: str = "pairwise",
        view_form: str = "softmax",
        persons: str = "visible",
        threshold: float = 0.5,
        student_dim: int | None = None,
        teacher_dim: int | None = None,
    ):
        super().__init__()
        self.feature, self.logit, self.consistency = feature, logit, consistency
        self.leave_out(feature=feature, logit=logit, consistency=consistency)
        self.feature_tap, self.teacher_tap = feature_tap, teacher_tap or feature_tap
        self.tau, self.form, self.logit_level = checked_temperature(tau), form, logit_level
        self.level, self.mask, self.persons, self.threshold = level, mask, persons, threshold
        self.confidence, self.divergence, self.view_form = confidence, divergence, view_form
        self.needs = _needs(self)
        mapped = feature and student_dim != teacher_dim
        self.project = nn.Linear(student_dim, teacher_dim) if mapped else nn.Identity()

    @staticmethod
    def infer(student: Fields, teacher: Fields, data: DataSpec) -> dict[str, Any]:
        return {"form": "bernoulli" if data.task == MULTI_LABEL else "softmax"}

    @classmethod
    def options(cls, config: dict[str, Any]) -> Fields:
        """``config`` with the defaults of what it does not say."""
        return Fields({name: p.default for name, p in inspect.signature(cls).parameters.items()} | config)

    @classmethod
    def needs_for(cls, config: dict[str, Any]) -> Needs:
        return _needs(cls.options(config))

    @classmethod
    def complete(
        cls, config: dict[str, Any], student: Fields, teacher: Fields, data: DataSpec
    ) -> dict[str, Any]:
        options, widths = cls.options(config), {}
        for names in _compared(options):
            _check_axes(names, student[names[0]], teacher[names[1]])
        if options.feature:
            own, other = _compared(options)[0]
            widths = {"student_dim": student[own].shape[-1], "teacher_dim": teacher[other].shape[-1]}
        if _needs(options).batch:
            _check_views(student[VIEW_LOGITS[options.level]], options, data)
        return {**cls.infer(student, teacher, data), **widths, **config}

    def forward(self, student: Fields, teacher: Fields, batch: Fields) -> dict[str, Tensor]:
        losses = {}
        if "feature" not in self.left_out:
            guess = self.project(student[self.feature_tap])
            losses["loss_feature"] = self.feature * hint_loss(guess, teacher[self.teacher_tap].detach())
        if "logit" not in self.left_out:
            tap = LOGITS[self.logit_level]
            guess, target = (fields[tap].flatten(0, -2) for fields in (student, teacher))
            losses["loss_logit"] = self.logit * FORMS[self.form](guess, target.detach(), self.tau)
        if "consistency" not in self.left_out:
            losses["loss_consistency"] = self.consistency * self._disagreement(student, batch)
        return losses

    def _disagreement(self, student: Fields, batch: Fields) -> Tensor:
        scores = person_scores(batch[self.persons]) if self.needs.batch else None
        return view_consistency(
            student[VIEW_LOGITS[self.level]],
            seen=scores >= self.threshold if self.mask else None,
            confidence=self.confidence,
            scores=scores if self.confidence == "detector" else None,
            divergence=self.divergence,
            level=self.level,
            form=self.view_form,
        )
