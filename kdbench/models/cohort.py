"""One teacher for several students: it is asked once a batch, and each student hears what it would hear alone."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..spec import Fields
from .role import Role


class Lesson:
    """What the shared teacher ``role`` says of one batch; it is asked when the first student wants to know.

    It is then asked as that student's own teacher would be, under its autocast, which all of them have.
    """

    def __init__(self, role: Role):
        self.role = role
        self._told: tuple[Fields, Fields] | None = None
        self._versions: list[int] = []

    def of(self, own: Role, inputs: Mapping[str, Tensor]) -> Fields:
        """What a student's own teacher, with its own taps, would have said of ``inputs``."""
        if self._told is None:
            with torch.no_grad():
                self._told = self.role.told(inputs)
            self._versions = [tensor._version for tensor in self._tensors()]
        plain, extras = self._told
        return Fields({**plain, **{name: value for name, value in extras.items() if name in own.extras}})

    def reads(self, model: nn.Module) -> Sequence[str]:
        """The modalities that a student's step needs: once the teacher has spoken, its own alone."""
        reads: Sequence[str] = model.reads if self._told is None else model._roles["student"].reads
        return reads

    def is_intact(self) -> bool:
        """Whether no student has written into what was said."""
        return [tensor._version for tensor in self._tensors()] == self._versions

    def _tensors(self) -> list[Tensor]:
        return [tensor for fields in self._told or () for value in fields.values() for tensor in _each(value)]


class SharedTeacher:
    """The teacher of ``lead``, for every model that ``admit`` lets in."""

    def __init__(self, lead: Any):
        self.lead: Role = lead._roles["teacher"]
        self.preprocessor = _settings(lead.data_preprocessor)
        self.role = copy.copy(self.lead)
        self.models: list[Any] = []

    def is_of(self, model: Any) -> bool:
        """Whether a model's own teacher is the same network with the same weights, and is shown the same."""
        own, lead = model._roles["teacher"], self.lead
        return bool(
            plain(own.config) == plain(lead.config)
            and own.reads == lead.reads
            and own.places == lead.places
            and own.means == lead.means
            and _equal(_settings(model.data_preprocessor), self.preprocessor)
            and _equal(own.model.state_dict(), lead.model.state_dict())
        )

    def admit(self, model: Any, inputs: Mapping[str, Tensor]) -> None:
        """Let a model in and its own teacher go, if both say the same of ``inputs`` bit for bit.

        A teacher that draws at random says something else each time, and stays with its student.
        """
        own: Role = model._roles["teacher"]
        extras = own.extras
        self.role.restrict({*extras, *(self.role.extras if self.models else ())})
        with torch.no_grad():
            alone = own(inputs)
        if _equal(alone, Lesson(self.role).of(own, inputs)):
            own.model = model.teacher = self.lead.model
            own.stand_in = self.lead.stand_in
            own.restrict(extras)
            self.models.append(model)


def shared_teachers(
    models: Sequence[Any], inputs_of: Callable[[Any], Mapping[str, Tensor]]
) -> Callable[[], dict[int, Lesson]]:
    """Let models that learn from equal teachers have one; ``inputs_of`` gives a model's inputs of a training batch.

    What is returned gives the lessons of a new batch by the ``id`` of the model. A model whose teacher no other has
    keeps it, and has no lesson.
    """
    teachers: list[SharedTeacher] = []
    for group in _alike(models):
        teachers.append(teacher := SharedTeacher(group[0]))
        for model in group:
            teacher.admit(model, inputs_of(model))

    def lessons() -> dict[int, Lesson]:
        said = [(teacher, Lesson(teacher.role)) for teacher in teachers]
        return {id(model): lesson for teacher, lesson in said for model in teacher.models}

    return lessons


def _alike(models: Sequence[Any]) -> Iterator[list[Any]]:
    """The models that learn from a teacher, two or more of equal ones together."""
    left = [model for model in models if getattr(model, "learns_from_teacher", False)]
    while left:
        first = SharedTeacher(left[0])
        group = [model for model in left if first.is_of(model)]
        left = [model for model in left if not any(model is one for one in group)]
        if len(group) > 1:
            yield group


def _each(value: Any) -> list[Tensor]:
    return [value] if isinstance(value, Tensor) else list(value)


def _equal(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two dicts of tensors and lists of them are equal bit for bit."""
    if set(one) != set(other):
        return False
    pairs = [(a, b) for name in one for a, b in zip(_each(one[name]), _each(other[name]), strict=True)]
    return all(a.dtype == b.dtype and torch.equal(a, b) for a, b in pairs)


def _settings(preprocessor: nn.Module) -> dict[str, Tensor]:
    """Its means and deviations."""
    return dict(preprocessor.named_buffers())


def plain(node: Any) -> Any:
    """A network's config without the places of its weights, which are compared themselves."""
    if isinstance(node, Mapping):
        return {name: plain(value) for name, value in node.items() if name != "weights"}
    if isinstance(node, list | tuple):
        return [plain(value) for value in node]
    return node if node is None or isinstance(node, bool | int | float | str) else str(node)
