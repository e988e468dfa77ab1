"""Several models of one row in one pass: weights side by side, and one forward of all students by ``torch.func``."""

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.overrides import TorchFunctionMode

from ..spec import LESSON, Fields, IncompatibleError
from .cohort import SharedTeacher, plain
from .role import Role
from .rows import changed, each, rows, side_by_side, unbound

Data = Mapping[str, Any]
Drawing = Callable[[int], AbstractContextManager[Any]]
# Of a value's largest entry, and of the length of all gradients: rounding stays far below, a wrong rule does not.
NEAR = 1e-2
ROUNDING = 1e-4  # what is smaller than this a number may be nothing but rounding
REMEDY = "train the seeds one by one"


class Stacked(NamedTuple):
    """One tensor of all models ``(K, ...)``, and each model's own, which is a view of it."""

    whole: Tensor
    own: list[Tensor]


class _Asked(nn.Module):
    """A role as a module, whose forward gives its outputs and taps in plain dicts."""

    def __init__(self, role: Role):
        super().__init__()
        self.network, self._role = role.model, role

    def forward(self, inputs: Mapping[str, Tensor]) -> dict[str, Any]:
        return dict(self._role(inputs))


class _AnyLayout(TorchFunctionMode):
    """Leaves ``contiguous(memory_format=...)`` out, which torch has not for several at once; no number changes."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return args[0] if func is Tensor.contiguous and kwargs else func(*args, **(kwargs or {}))


@contextmanager
def _one_after_the_other() -> Iterator[None]:
    """Let torch run what it has no rule for, such as ``kl_div``, for one model after the other: right, and slower."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="There is a performance drop")
        yield


class _Said:
    """What the shared teacher said of one model's part of the joined batch."""

    def __init__(self, fields: Fields):
        self.fields = fields

    def of(self, *_: Any) -> Fields:
        """That."""
        return self.fields


class StackedModels:
    """``Distillation`` models that differ in their numbers alone, one for each seed.

    Their weights and buffers move into stacked tensors, of which each model's own become views, so that each model
    stays whole: it can be saved, tested and trained by itself at any time. ``losses`` runs all students at once, and
    one teacher over all batches joined; each model's task loss and distiller then run by themselves on its part. So a
    method may keep memories, draw at random and have weights of its own.

    ``parameters`` are what is trained, by name. Models that differ in more, or whose students do not compute together
    what they compute alone, are an ``IncompatibleError``, here or in ``rehearse``.
    """

    def __init__(self, models: Sequence[Any]):
        self.models = list(models)
        self.roles: list[Role] = [model._roles["student"] for model in self.models]
        self._refuse_others()
        found = [dict(_own_tensors(model)) for model in self.models]
        stacked = {name: _stacked([one[name] for one in found]) for name in found[0]}
        self.parameters = {name: one for name, one in stacked.items() if one.whole.requires_grad}
        self._student = {
            f"network{name.removeprefix('student')}": one.whole
            for name, one in stacked.items()
            if name.startswith("student.")
        }
        self._asked = _Asked(self.roles[0])
        self._teacher: Role | None = None
        self._is_pure = False  # whether losses are computed together; ``rehearse`` finds out

    def _refuse_others(self) -> None:
        lead, shapes = self.models[0], [_shapes(model) for model in self.models]
        for model, its_shapes in zip(self.models, shapes, strict=True):
            if (
                plain(model._roles["student"].config) != plain(self.roles[0].config)
                or its_shapes != shapes[0]
            ):
                raise IncompatibleError(f"models that differ in more than their seed do not stack; {REMEDY}")
            if type(model.distiller) is not type(lead.distiller):
                raise IncompatibleError(f"models with different distillers do not stack; {REMEDY}")

    def losses(self, batches: Sequence[Data], drawing: Drawing) -> list[dict[str, Tensor]]:
        """The losses of each model for its batch, as ``parse_losses`` gives them: their sum is ``loss``.

        ``drawing(k)`` is a block in which random numbers are those of model ``k``; all students draw from model 0's.
        """
        data = self._data(batches)
        said = self._taught(data)
        with drawing(0):
            given = self._together([one["inputs"] for one in data], "different")
        if self._is_pure:
            return rows(self._losses_together(given, data, said), unbound)
        students = rows(given, unbound)
        lessons = self._lessons(said, data)
        return [self._own_losses(k, students[k], data[k], lessons[k], drawing) for k in range(len(data))]

    def _own_losses(
        self, k: int, student: Data, data: Data, lesson: _Said | None, drawing: Drawing
    ) -> dict[str, Tensor]:
        batch = Fields(_without_inputs(data))
        if lesson is not None:
            batch[LESSON] = lesson
        with drawing(k):
            model = self.models[k]
            losses: dict[str, Tensor] = model.parse_losses(
                model.losses(Fields(student), model.lesson(data["inputs"], batch), batch)
            )[1]
        return losses

    def _losses_together(
        self, given: Data, data: Sequence[Data], said: Mapping[str, Any] | None
    ) -> dict[str, Tensor]:
        """The same of all models, ``(K,)``, where nothing but what is given decides them."""
        lead, count = self.models[0], len(data)
        batch = side_by_side([_without_inputs(one) for one in data])
        taught = None if said is None else changed(said, lambda value: value.unflatten(0, (count, -1)))

        def losses(student: Data, fields: Data, lesson: Data | None) -> dict[str, Tensor]:
            told = {} if lesson is None else {LESSON: _Said(Fields(lesson))}
            own = Fields({**fields, **told})
            return dict(lead.parse_losses(lead.losses(Fields(student), lead.lesson({}, own), own))[1])

        together = vmap(losses, (0, 0, None if said is None else 0), randomness="error")
        with _one_after_the_other():
            found: dict[str, Tensor] = together(given, batch, taught)
        return found

    def _data(self, batches: Sequence[Data]) -> list[Data]:
        data = [
            model.data_preprocessor(batch, True) for model, batch in zip(self.models, batches, strict=True)
        ]
        shapes = [{name: value.shape for name, value in one["inputs"].items()} for one in data]
        if any(one != shapes[0] for one in shapes):
            raise IncompatibleError(
                f"batches of a stack have one shape; there is: {shapes}; {REMEDY}, or set drop_last=True"
            )
        return data

    def _together(self, inputs: Sequence[Mapping[str, Tensor]], randomness: str) -> dict[str, Any]:
        """What the students give for their inputs, ``(K, ...)``."""
        reads = self.roles[0].inputs_of(inputs[0])
        stacked = {name: torch.stack([one[name] for one in inputs]) for name in reads}
        asked = vmap(
            lambda state, clips: functional_call(self._asked, state, (clips,)), randomness=randomness
        )
        with _AnyLayout(), _one_after_the_other():
            said: dict[str, Any] = asked(self._student, stacked)
        return said

    def _taught(self, data: Sequence[Data]) -> Fields | None:
        """What the shared teacher says of all batches joined, ``(K * B, ...)``; None where there is no such teacher."""
        if self._teacher is None:
            return None
        reads = self._teacher.inputs_of(data[0]["inputs"])
        with torch.no_grad():
            return self._teacher({name: torch.cat([one["inputs"][name] for one in data]) for name in reads})

    @staticmethod
    def _lessons(said: Fields | None, data: Sequence[Data]) -> list[_Said | None]:
        """Each model's part of it; None where it asks its own teacher, a cache or nobody."""
        if said is None:
            return [None] * len(data)
        return [_Said(Fields(part)) for part in rows(said, lambda value: value.chunk(len(data)))]

    def gather(self) -> None:
        """Bring gradients that reached models' own parameters, such as heads and distillers, to the stacked ones."""
        for name, (whole, own) in self.parameters.items():
            grads = [parameter.grad for parameter in own]
            if all(grad is None for grad in grads):
                continue
            if any(grad is None for grad in grads):
                raise IncompatibleError(
                    f"some models of a stack trained '{name}' and others did not; {REMEDY}"
                )
            extra = torch.stack(grads)
            whole.grad = extra if whole.grad is None else whole.grad.add_(extra)
            for parameter in own:
                parameter.grad = None

    def rehearse(self, batches: Sequence[Data]) -> None:
        """Try on these batches that students compute together what each computes alone; let equal teachers be one.

        No weight or buffer changes by it. Dropout is switched off while it is tried. What
        cannot be computed together, or comes out otherwise, is an ``IncompatibleError``.
        """
        data = self._data(batches)
        inputs = [one["inputs"] for one in data]
        self._share_teacher(data)
        with self._undisturbed() as reset:
            try:
                together = self._answers(lambda: rows(self._together(inputs, "error"), unbound))
            except (RuntimeError, ValueError, TypeError, NotImplementedError) as error:
                raise self._refusal(
                    f"torch cannot compute it for several at once: {_first(error)}"
                ) from error
            reset()
            alone = self._answers(lambda: [role(x) for role, x in zip(self.roles, inputs, strict=True)])
            self._is_pure = self._has_pure_losses(data)
        for what in together:
            if not _near(together[what], alone[what]):
                raise self._refusal(f"its {what} are others than those of students alone")

    def _has_pure_losses(self, data: Sequence[Data]) -> bool:
        """Whether losses depend on what networks give and on the batch alone, and torch can compute them together.

        A method with weights, memories, heads of others or random draws runs for each model by itself.
        """
        lead, said = self.models[0], self._taught(data)
        parts = [part for part in (lead.task, lead.distiller) if part is not None]
        heads = lead.distiller is not None and lead.distiller.needs.heads
        if (
            heads
            or any(_holds(part) for part in parts)
            or (said is None and lead.learns_from_teacher and not all(LESSON in one for one in data))
        ):
            return False
        try:
            with torch.no_grad():
                given = self._together([one["inputs"] for one in data], "error")
                together = rows(self._losses_together(given, data, said), unbound)
        except (RuntimeError, ValueError, TypeError, NotImplementedError):
            return False
        with torch.no_grad():
            lessons, students = self._lessons(said, data), rows(given, unbound)
            alone = [
                self._own_losses(k, students[k], data[k], lessons[k], lambda _: nullcontext())
                for k in range(len(data))
            ]
        return all(
            _near([one[name]], [other[name]])
            for one, other in zip(together, alone, strict=True)
            for name in other
        )

    def _refusal(self, why: str) -> IncompatibleError:
        return IncompatibleError(f"{type(self.roles[0].model).__name__} does not stack: {why}; {REMEDY}")

    def _answers(self, ask: Callable[[], Sequence[Data]]) -> dict[str, list[Tensor]]:
        """Outputs, gradients of a fixed sum of them, and buffers, of each model in turn."""
        fields = ask()
        found: dict[str, list[Tensor]] = {
            f"outputs '{name}'": [tensor.detach() for one in fields for tensor in each(one[name])]
            for name in fields[0]
        }
        sum(_weighed(one) for one in fields).backward()
        self.gather()
        wholes = [whole for whole, _ in self.parameters.values()]
        grads = [torch.zeros_like(one) if one.grad is None else one.grad.clone() for one in wholes]
        for one in wholes:
            one.grad = None
        found["gradients"] = [
            torch.cat([grad[k].flatten() for grad in grads]) for k in range(len(self.models))
        ]
        found["running statistics"] = [one.float().clone() for one in self._buffers()]
        return found

    def _buffers(self) -> list[Tensor]:
        return [one for one in self._student.values() if not one.requires_grad]

    @contextmanager
    def _undisturbed(self) -> Iterator[Callable[[], None]]:
        """Switch off what draws at random and put all buffers back in the end, or whenever what this gives is called.

        A module without weights, buffers and parts that does something else in training than in a test draws.
        """
        before = [one.clone() for one in self._buffers()]
        leaves = [m for role in self.roles for m in role.model.modules() if m.training and not _holds(m)]

        def reset() -> None:
            for one, kept in zip(self._buffers(), before, strict=True):
                one.copy_(kept)

        try:
            for leaf in leaves:
                leaf.training = False
            yield reset
        finally:
            reset()
            for leaf in leaves:
                leaf.training = True

    def _share_teacher(self, data: Sequence[Data]) -> None:
        """Keep one teacher if all are equal and it says of batches joined what it says of each."""
        if not all(
            model.learns_from_teacher and LESSON not in one
            for model, one in zip(self.models, data, strict=True)
        ):
            return
        teacher = SharedTeacher(self.models[0])
        if not all(teacher.is_of(model) for model in self.models):
            return
        self._teacher = self.models[0]._roles["teacher"]
        with torch.no_grad():
            together = [lesson.fields for lesson in self._lessons(self._taught(data), data) if lesson]
            alone = [self._teacher(one["inputs"]) for one in data]
        same = all(
            _near(each(one[name]), each(other[name]))
            for one, other in zip(together, alone, strict=True)
            for name in other
        )
        if not same:
            self._teacher = None
            return
        for model in self.models[1:]:
            model._roles["teacher"] = self._teacher
            model.teacher = self._teacher.model


def _own_tensors(model: Any) -> Iterator[tuple[str, Tensor]]:
    """All parameters of a model, and the buffers of its student, by name; the teacher's are left out."""
    for name, parameter in model.named_parameters():
        if not name.startswith("teacher."):
            yield name, parameter
    for name, buffer in model.student.named_buffers():
        yield f"student.{name}", buffer


def _shapes(model: Any) -> dict[str, Any]:
    return {name: (one.shape, one.dtype, one.device, one.requires_grad) for name, one in _own_tensors(model)}


def _stacked(own: list[Tensor]) -> Stacked:
    whole = torch.stack([one.detach() for one in own])
    for k, one in enumerate(own):
        one.data = whole[k]
    return Stacked(whole.requires_grad_(own[0].requires_grad), own)


def _without_inputs(data: Data) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name != "inputs"}


def _weighed(fields: Data) -> Tensor:
    """A sum over all outputs with weights that differ from place to place, so that no error cancels."""
    values = [value.float() for name in fields for value in each(fields[name]) if value.requires_grad]
    return sum(
        (value * torch.linspace(0.5, 1.5, value.numel(), device=value.device).view(value.shape)).sum()
        for value in values
    )


def _near(ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> bool:
    for one, other in zip(ours, theirs, strict=True):
        if one.shape != other.shape or one.dtype != other.dtype:
            return False
        apart, size = (one.float() - other.float()).norm(), other.float().norm()
        if not apart <= NEAR * (size + ROUNDING * math.sqrt(one.numel())):
            return False
    return True


def _holds(module: nn.Module) -> bool:
    """Whether a module has weights, buffers or parts."""
    return any(True for group in (module.parameters(), module.buffers(), module.children()) for _ in group)


def _first(error: BaseException) -> str:
    return str(error).strip().split("\n")[0]
