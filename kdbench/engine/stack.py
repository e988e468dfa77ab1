"""Seeds of one row in one process and in one pass: every step is taken by all of them together."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from mmengine.dist import is_distributed
from torch import Tensor

from ..spec import IncompatibleError
from .cohort import Cohort, Member
from .hooks import unwrapped
from .loop import TrainLoop
from .record import clocks
from .runner import Runner
from .stack_optim import REMEDY, StackedOptimizer
from .state import preserved_rng, rng_state, set_rng_state


class Models(Protocol):
    """Models with their weights side by side, such as ``models.stack.StackedModels``."""

    models: list[Any]
    parameters: Mapping[str, Any]

    def rehearse(self, batches: Sequence[Any]) -> None:
        """Refuse what would not be equal to models alone."""

    def losses(self, batches: Sequence[Any], drawing: Callable[[int], Any]) -> list[dict[str, Tensor]]:
        """Each model's losses for its batch; their sum is ``loss``."""

    def gather(self) -> None:
        """Bring all gradients to the stacked parameters."""


class Seed(Member):
    """A member of a stack: it stops with a batch in its hand, and goes on with what came out of its step."""

    batch: Any = None

    def advance(self, outputs: Mapping[str, Tensor] | None = None) -> None:
        """Go on to the next batch; without ``outputs`` the step is its own."""
        with self.active():
            try:
                self.batch = self._course.send(outputs)
            except StopIteration as end:
                self.metrics = dict(end.value)

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """Have its random states for a while."""
        set_rng_state(self._rng)
        try:
            yield
        finally:
            self._rng = rng_state()

    def take_share(self, seconds: Mapping[str, float]) -> None:
        """Have ``seconds`` of a step that was taken together count as its own."""
        self._left = {name: value + seconds[name] for name, value in self._left.items()}


class Stack(Cohort):
    """Runs members that are one row with several seeds; ``join`` (``models.stack.StackedModels``) puts models together.

    A step is one forward and backward of all students and one step of an optimiser over their stacked weights. All
    else, such as batches, losses, hooks, checkpoints, validation and records, each member does itself. Those that
    resume at different places first go on alone until they meet. Members that cannot go together are an
    ``IncompatibleError`` before the first step together. Networks draw from the random states of the first member.
    """

    def __init__(
        self,
        members: Sequence[Seed],
        join: Callable[[Sequence[Any]], Models],
        say: Callable[[str], None] = lambda _: None,
    ):
        super().__init__(members, say=say)
        self._put_together = join
        self._is_told_to_leave = False
        self._together: tuple[list[Member], Models, StackedOptimizer] | None = None

    def _ask(self, *_: Any) -> None:
        self._is_told_to_leave = True  # before the next step, so that all leave at one place

    def _train(self) -> None:
        for member in self.running:
            member.runner.train_loop.hands_over = True
            self._let(member, member.advance)
        while self.running:
            self._is_asked = self._is_told_to_leave
            self._meet()
            self._step_together()

    def _meet(self) -> None:
        """Let those that are behind take steps of their own until all are at one place."""
        while len({member.place for member in self.running}) > 1 or len(self.running) == 1:
            member = min(self.running, key=lambda one: one.place)
            self._let(member, member.advance)

    def _step_together(self) -> None:
        members = self.running
        if not members:
            return
        if self._together is None or self._together[0] != members:
            self._together = (members, *self._joined(members))
        began = clocks()
        _, models, optimizer = self._together
        batches = [member.batch for member in members]
        outputs = step(models, optimizer, batches, lambda k: members[k].drawing())
        spent = {name: (now - began[name]) / len(members) for name, now in clocks().items()}
        for member, its_outputs in zip(members, outputs, strict=True):
            member.take_share(spent)
            self._let(member, lambda member=member, outputs=its_outputs: member.advance(outputs))

    def _joined(self, members: Sequence[Seed]) -> tuple[Models, StackedOptimizer]:
        runners = [member.runner for member in members]
        _refuse(runners)
        models = self._put_together([unwrapped(runner.model) for runner in runners])
        optimizer = StackedOptimizer([runner.optim_wrapper for runner in runners], models.parameters)
        with preserved_rng():
            models.rehearse([member.batch for member in members])
        return models, optimizer


def step(
    models: Models, optimizer: StackedOptimizer, batches: Sequence[Any], drawing: Callable[[int], Any]
) -> list[dict[str, Tensor]]:
    """The step of all, as ``BaseModel.train_step`` of mmengine takes it alone; gives what each logs."""
    with optimizer.wrappers[0].optim_context(models.models[0]):
        losses = models.losses(batches, drawing)
    torch.stack([own["loss"] for own in losses]).sum().backward()
    models.gather()
    optimizer.step()
    return losses


def _refuse(runners: Sequence[Runner]) -> None:
    """Refuse runs whose loop has no place for steps that another takes."""
    for runner in runners:
        if is_distributed() or type(runner.train_loop) is not TrainLoop:
            kind = "several processes" if is_distributed() else f"a {type(runner.train_loop).__name__}"
            raise IncompatibleError(f"seeds in one pass do not go with {kind}; {REMEDY}")
