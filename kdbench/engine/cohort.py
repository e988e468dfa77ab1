"""Several runs in one process: batches are read once, equal teachers asked once, and each ends as it would alone."""

import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import DefaultScope

from .course import Course, course
from .hooks import EXIT_PREEMPTED, SignalHook, unwrapped
from .record import RecordResult, clocks
from .runner import Runner
from .state import preserved_rng, rng_state, set_rng_state
from .stream import Stream, joined, refuse_others

Inputs = Callable[[Any], Mapping[str, torch.Tensor]]
Share = Callable[[Sequence[Any], Inputs], Callable[[], Mapping[int, Any]]]


class Member:
    """A run of a cohort. ``make`` builds its runner; ``words`` are the command line that its record shows.

    When it has ended, ``metrics`` are those of its test, ``error`` is what ended it, and ``code`` is 75 where a signal
    did and it saved.
    """

    def __init__(self, name: str, make: Callable[[], Runner], words: Sequence[str] = ()):
        self.name, self.make, self.words = name, make, list(words)
        self.runner: Runner | None = None
        self.metrics: dict[str, Any] | None = None
        self.error: BaseException | None = None
        self.code: int | None = None
        self._course: Course | None = None
        self._rng: dict[str, Any] | None = None
        self._left: dict[str, float] = {}

    @property
    def is_running(self) -> bool:
        """Whether it has still to do."""
        return self.metrics is None and self.error is None and self.code is None

    @property
    def place(self) -> tuple[int, int]:
        """The epoch and batch that it has come to."""
        position = self.runner.train_loop.position
        return position["epoch"], position["batch"]

    @contextmanager
    def active(self) -> Iterator[None]:
        """Be this run: its random states, its command line, its loggers; the clock of its record goes on."""
        if self._rng is not None:
            set_rng_state(self._rng)
        words, sys.argv = sys.argv, self.words or sys.argv
        if self.runner is not None:
            self._come_back(self.runner)
        try:
            yield
        finally:
            self._rng, sys.argv, self._left = rng_state(), words, clocks()

    def _come_back(self, runner: Runner) -> None:
        now = clocks()
        away = {name: now[name] - self._left[name] for name in now}
        for hook in runner.hooks:
            if isinstance(hook, RecordResult):
                hook.skip(away)
        # What asks mmengine for "the current" one of these gets the last of their dict.
        for kind in (MMLogger, MessageHub, DefaultScope, type(runner.visualizer)):
            if runner.experiment_name in kind._instance_dict:
                kind._instance_dict.move_to_end(runner.experiment_name)

    def start(self, size: int) -> None:
        """Build the run, one of ``size``, and set it up, up to its first batch."""
        with self.active():
            self.runner = self.make()
            for hook in self.runner.hooks:
                if isinstance(hook, SignalHook):
                    hook.listens = False
                if isinstance(hook, RecordResult):
                    hook.cohort = size
            self._left = clocks()
            self._course = course(self.runner)
            next(self._course)

    def advance(self) -> None:
        """Take one turn: a batch, and what comes before the next one."""
        with self.active():
            try:
                next(self._course)
            except StopIteration as end:
                self.metrics = dict(end.value)

    def ask(self) -> None:
        """Have it save and leave after its next batch."""
        for hook in self.runner.hooks if self.runner is not None else ():
            if isinstance(hook, SignalHook):
                hook.ask()

    def let_go(self) -> None:
        """Give its memory back."""
        self.runner = self._course = None


class Cohort:
    """Runs the members to their ends; what goes wrong in one is its own affair.

    ``share`` (such as ``models.cohort.shared_teachers``) lets their models have one teacher. Each member has its own
    weights, optimiser, random states, hooks, work directory and record. Who is behind takes the next turn, so members
    that resume at different places meet; of those at one place another begins each time, and pays for what is shared.
    A member that would not get what it gets alone is refused before its first step. ``say`` gets a line for each end.
    """

    def __init__(
        self,
        members: Sequence[Member],
        share: Share | None = None,
        say: Callable[[str], None] = lambda _: None,
    ):
        self.members, self.share, self._say = list(members), share, say
        self._is_asked = False

    @property
    def running(self) -> list[Member]:
        """The members that have still to do."""
        return [member for member in self.members if member.is_running]

    def run(self) -> int:
        """Run; 0 if all members ended well, 75 if a signal ended some, 1 if one failed."""
        with self._listening():
            for member in self.members:
                self._let(member, lambda member=member: member.start(len(self.members)))
            self._train()
        codes = [member.code for member in self.members]
        failed = any(member.error is not None for member in self.members)
        return EXIT_PREEMPTED if EXIT_PREEMPTED in codes else int(failed)

    def _train(self) -> None:
        """Train all that have started."""
        with ExitStack() as stack:
            if len(self.running) > 1:
                stack.callback(self._join().close)
            while self.running:
                member = min(self.running, key=self._turn)
                self._let(member, member.advance)

    def _turn(self, member: Member) -> tuple[int, int, int]:
        epoch, batch = member.place
        return epoch, batch, (self.members.index(member) - epoch - batch) % len(self.members)

    def _let(self, member: Member, do: Callable[[], Any]) -> None:
        """Let a member do something; how it ends is kept."""
        if self._is_asked:
            member.ask()
        try:
            do()
        except SystemExit as end:
            member.code = end.code if isinstance(end.code, int) else 1
            self._say(f"{member.name}: left with exit code {member.code}")
        except Exception as error:
            member.error = error
            self._say(f"{member.name}: failed\n{traceback.format_exc()}")
        if not member.is_running:
            member.let_go()

    def _join(self) -> Stream:
        """Have batches read and teachers asked once for all."""
        runners = [member.runner for member in self.running]
        stream, lead = Stream(joined(runners)), runners[0]
        for member in self.running:
            self._let(member, lambda member=member: self._admit(member, lead, stream))
        if self.share is not None and len(self.running) > 1:
            stream.teach(self._taught(self.share, stream))
        return stream

    @staticmethod
    def _admit(member: Member, lead: Runner, stream: Stream) -> None:
        with member.active():
            refuse_others(member.runner, lead, stream.loader)
            stream.feed(member.runner)

    def _taught(self, share: Share, stream: Stream) -> Callable[[], Mapping[int, Any]]:
        """The lessons of each batch; equal teachers are found, and tried on the batch that is read first."""
        runners = [member.runner for member in self.running]
        place = self._readable(min(member.place for member in self.running), stream)

        def inputs_of(model: Any) -> Mapping[str, torch.Tensor]:
            batch = stream.batch_for(model, *place)
            inputs: Mapping[str, torch.Tensor] = model.data_preprocessor(batch, True)["inputs"]
            return inputs

        with (
            self.running[0].active(),
            preserved_rng(),
            runners[0].optim_wrapper.optim_context(runners[0].model),
        ):
            return share([unwrapped(runner.model) for runner in runners], inputs_of)

    @staticmethod
    def _readable(place: tuple[int, int], stream: Stream) -> tuple[int, int]:
        """The place, or where an epoch is over the next one."""
        epoch, batch = place
        return (epoch, batch) if batch < stream.batches else (epoch + 1, 0)

    def _ask(self, *_: Any) -> None:
        self._is_asked = True
        for member in self.members:
            member.ask()

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """On SIGTERM or SIGUSR1 all members save and leave."""
        try:
            before = {number: signal.signal(number, self._ask) for number in SignalHook.signals}
        except ValueError:  # not the main thread: whoever runs us handles signals
            before = {}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
