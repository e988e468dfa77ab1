"""A trained student that is also tested without some views or modalities."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..losses import probabilities
from ..registry import MODELS
from ..spec import Fields
from . import checks
from .distillation import Distillation
from .role import Role

VIEW_MASK = "view_mask"
Absence = Mapping[str, Sequence[Any]]


def absence_name(absence: Absence) -> str:
    """What the scores without something are called.

    >>> absence_name({"views": (0, 2)}), absence_name({"modalities": ("audio",)})
    ('without_view_0_2', 'without_audio')
    """
    views = "_".join(map(str, absence.get("views", ())))
    return "_".join(["without", *([f"view_{views}"] if views else []), *absence.get("modalities", ())])


def without_modalities(inputs: Mapping[str, Tensor], names: Sequence[str]) -> dict[str, Tensor]:
    """The inputs with zeros in place of some: the mean of what was trained on where a modality is standardised."""
    return {name: torch.zeros_like(x) if name in names else x for name, x in inputs.items()}


def without_views(
    role: Role, inputs: Mapping[str, Tensor], views: Sequence[int]
) -> tuple[Role, dict[str, Tensor]]:
    """Who reads what once views are gone; all that is read is ``(B, V, ...)``, but for ``worn`` of the network.

    A network with an attribute ``view_mask`` (see ``Sensing``) takes a mask ``(B, V)`` as its last input, and gets
    all views with zeros there; any other gets clips of fewer views. Both come to the same where both are possible.
    """
    seen = _with_views(role)
    first = inputs[seen[0]]
    if not hasattr(role.model, "view_mask"):
        kept = [view for view in range(first.shape[1]) if view not in views]
        return role, {**inputs, **{name: inputs[name][:, kept] for name in seen}}
    name = role.model.view_mask or VIEW_MASK
    mask = inputs[name].float().clone() if name in inputs else first.new_ones(first.shape[:2])
    mask[:, list(views)] = 0
    reader = copy.copy(role)
    reader.reads = role.reads if name in role.reads else (*role.reads, name)
    return reader, {**inputs, name: mask}


def _with_views(role: Role) -> list[str]:
    """What the role reads that has an axis of views."""
    return [name for name in role.reads if name not in getattr(role.model, "worn", ())]


def _check_left(kind: str, taken: Sequence[Any], there: Sequence[Any]) -> None:
    """Refuse to take what is not there, and to take all."""
    listed = ", ".join(map(str, there))
    for one in taken:
        if one not in there:
            raise ValueError(f"the {kind} '{one}' is to be taken away; there is: {listed}")
    if set(there) <= set(taken):
        raise ValueError(f"every {kind} is to be taken away ({listed}); leave one")


@MODELS.register_module()
class Deprived(Distillation):
    """A ``Distillation`` whose samples also carry the scores of the student without what ``without`` takes away.

    ``without`` lists ``dict(views=(0,), modalities=("audio",))``, either of which may be left out. Samples gain
    ``without_score`` ``(C, K)`` in that order, ``without_frame_score`` ``(C, T, K)`` where the student classifies
    frames, and ``view_frame_score`` ``(V, T, K)`` where it does so for each view. Whole and reduced clips go through
    the network in one pass over the data. ``each_view=True`` asks that the student gives ``view_logits``.
    """

    without: tuple[Absence, ...] = ()

    def __init__(
        self, *arguments: Any, without: Sequence[Absence] = (), each_view: bool = False, **options: Any
    ):
        super().__init__(*arguments, **options)
        with checks.naming(f"a test of {type(self.student).__name__} without some of its inputs", self.data):
            self._check(without, each_view)
            self.without = tuple(without)
            checks.rehearse(self, self.data)

    def _check(self, without: Sequence[Absence], each_view: bool) -> None:
        role = self._roles["student"]
        modalities = [name for name in role.reads if name != getattr(role.model, "view_mask", None)]
        for absence in without:
            _check_left("modality", absence.get("modalities", ()), modalities)
        if each_view or any(absence.get("views") for absence in without):
            views = self._num_views(role)
            for absence in without:
                _check_left("view", absence.get("views", ()), range(views))

    def _num_views(self, role: Role) -> int:
        """How many views the student tells apart; a ``ValueError`` if it has none or its inputs do not agree."""
        outputs = checks.probe(role, self.data)
        if "view_logits" not in outputs:
            raise ValueError(
                f"{type(role.model).__name__} gives no view_logits, so it has no views to tell apart; take a network "
                "of several views, such as MultiASL"
            )
        views = int(outputs["view_logits"].shape[1])
        for name in _with_views(role):
            if self.data.inputs[name][0] != views:
                raise ValueError(
                    f"'{name}' is {tuple(self.data.inputs[name])}; there is: an axis of {views} views in front of "
                    "what can lose one"
                )
        return views

    def _predictions(
        self, inputs: Mapping[str, Tensor], student: Fields, fields: Mapping[str, Any]
    ) -> list[dict]:
        rows = super()._predictions(inputs, student, fields)
        columns = dict(self._scores(student, {"view_frame": "view_frame_logits"}))
        if self.without:
            reduced = [self._reduced(inputs, absence) for absence in self.without]
            each = Fields({name: torch.stack([one[name] for one in reduced], 1) for name in reduced[0]})
            columns |= self._scores(each, {"without": "logits", "without_frame": "frame_logits"})
        for place, row in enumerate(rows):
            row.update({name: column[place] for name, column in columns.items()})
        return rows

    def _reduced(self, inputs: Mapping[str, Tensor], absence: Absence) -> Fields:
        """The student's decisions without views and modalities."""
        role, left = self._roles["student"], without_modalities(inputs, absence.get("modalities", ()))
        if absence.get("views"):
            role, left = without_views(role, left, absence["views"])
        outputs = self._decided(role, left)
        return Fields({name: outputs[name] for name in ("logits", "frame_logits") if name in outputs})

    def _scores(self, outputs: Fields, names: Mapping[str, str]) -> Iterator[tuple[str, Tensor]]:
        for name, logits in names.items():
            if logits in outputs:
                yield f"{name}_score", probabilities(outputs[logits].float(), self.data.task)
