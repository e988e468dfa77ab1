"""The training batches of several runs, each read once for all that are at the same place."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from mmengine.dist import is_distributed
from torch import Tensor, nn

from ..spec import LESSON, STRONG, IncompatibleError
from .hooks import unwrapped
from .loop import TrainLoop
from .modalities import read_only
from .runner import Runner
from .state import preserved_rng

COMPARED = 2  # clips of the first epoch that are read as a run alone would read them


class Lesson(Protocol):
    """What a shared teacher says of one batch."""

    def reads(self, model: nn.Module) -> Sequence[str]:
        """What a model has to be shown of the batch to take part."""

    def is_intact(self) -> bool:
        """Whether nobody has written into what was said."""


class Stream:
    """Batches by place ``(epoch, batch)``, the last one kept; ``loader`` has all that any of the runs reads.

    ``teach`` sets what gives, for a new batch, its field ``lesson`` by the ``id`` of a model. Runs ask for places in
    rising order. A batch or lesson that a run has changed in place is made again for the next run.
    """

    def __init__(self, loader: Any):
        self.loader, self.batches = loader, len(loader)
        self._lessons: Callable[[], Mapping[int, Lesson]] = dict
        self._place: tuple[int, int] | None = None
        self._batch: dict[str, Any] = {}
        self._versions: list[int] = []
        self._said: Mapping[int, Lesson] = {}
        self._rest: Iterator[Any] = iter(())

    def feed(self, runner: Runner) -> None:
        """Let a run take its batches from here, and its training data too."""
        loop, model = runner.train_loop, unwrapped(runner.model)
        loop.dataloader = self.loader
        loop.source = lambda epoch, first: (
            self.batch_for(model, epoch, number) for number in range(first, self.batches)
        )

    def teach(self, lessons: Callable[[], Mapping[int, Lesson]]) -> None:
        """Let batches have lessons, the present one too."""
        self._lessons, self._said = lessons, lessons()

    def batch_for(self, model: nn.Module, epoch: int, number: int) -> dict[str, Any]:
        """What a model reads of the batch at a place."""
        batch = self._at(epoch, number)
        lesson = self._said.get(id(model))
        reads = getattr(model, "reads", None) if lesson is None else lesson.reads(model)
        return part(batch, reads) | ({} if lesson is None else {LESSON: lesson})

    def _at(self, epoch: int, number: int) -> dict[str, Any]:
        if self._place == (epoch, number) and self._is_intact():
            return self._batch
        follows = self._place == (epoch, number - 1) and number > 0
        if not follows:
            self._rest = self._from(epoch, number)
        self._batch, self._place, self._said = next(self._rest), (epoch, number), self._lessons()
        self._versions = [tensor._version for tensor in _tensors(self._batch)]
        if number == self.batches - 1:
            next(self._rest, None)  # that is when a loader's workers end
        return self._batch

    def close(self) -> None:
        """Let the loader's workers end."""
        self._rest, self._place = iter(()), None

    def _is_intact(self) -> bool:
        """Whether nobody has written into the batch or its lessons."""
        versions = [tensor._version for tensor in _tensors(self._batch)]
        return versions == self._versions and all(lesson.is_intact() for lesson in self._said.values())

    def _from(self, epoch: int, number: int) -> Iterator[Any]:
        sampler = self.loader.sampler
        sampler.set_epoch(epoch)
        sampler.skip(number * self.loader.batch_size)
        with preserved_rng():  # a loader draws a seed for its workers whenever it starts
            return iter(self.loader)


def part(batch: Mapping[str, Any], reads: Sequence[str] | None) -> dict[str, Any]:
    """A batch or sample with those of its inputs that are read; strong views go with their modality."""
    if reads is None:
        return dict(batch)
    inputs = {name: value for name, value in batch["inputs"].items() if name.removesuffix(STRONG) in reads}
    return {**batch, "inputs": inputs}


def joined(runners: Sequence[Runner]) -> Any:
    """A loader of all that these runs read: the first one's, or one like it with more modalities."""
    lead = runners[0]
    reads = [getattr(unwrapped(runner.model), "reads", ()) for runner in runners]
    every = tuple(dict.fromkeys(name for names in reads for name in names))
    if set(every) <= set(reads[0]) or "train_dataloader" not in lead.cfg:
        return lead.train_loop.dataloader
    settings = _own(lead.cfg["train_dataloader"])
    settings["dataset"] = _own(settings["dataset"])
    read_only([settings], every)
    return Runner.build_dataloader(settings, lead.seed)


def refuse_others(runner: Runner, lead: Runner, loader: Any) -> None:
    """Refuse a run that would not get from ``loader`` what it reads alone, or computes in another precision.

    That is an ``IncompatibleError``.
    """
    problem = _problem(runner.train_loop, loader) or _difference(runner, loader)
    ours, theirs = (getattr(one.optim_wrapper, "dtype", None) for one in (runner, lead))
    if ours != theirs:
        problem = f"it computes in {ours or 'full precision'}, others in {theirs or 'full precision'}"
    if problem:
        raise IncompatibleError(f"{runner.work_dir} cannot share batches: {problem}; run it alone")


def _problem(loop: Any, loader: Any) -> str | None:
    """Why a run takes part in no sharing, or not in this."""
    own, sampler = loop.dataloader, loop.dataloader.sampler
    if is_distributed():
        return "it has several processes"
    if type(loop) is not TrainLoop:
        return f"its loop is a {type(loop).__name__}"
    if not (hasattr(sampler, "skip") and hasattr(sampler, "set_epoch")):
        return f"a {type(sampler).__name__} does not say which draw a clip is"
    counts = [hasattr(one.dataset, "substituted") for one in (own, loader)]
    if any(counts) and _yields(own.dataset) != _yields(loader.dataset):
        return "its data count what they put substitutes for, and it reads other modalities"
    for name in ("batch_size", "drop_last", "collate_fn"):
        ours, theirs = (_plain(getattr(one, name)) for one in (own, loader))
        if ours != theirs:
            return f"its {name} is {ours}, the others' {theirs}"
    return None


def _difference(runner: Runner, loader: Any) -> str | None:
    """Draws, and clips as they are read for it alone, that differ from the shared ones."""
    own, reads = runner.train_loop.dataloader, getattr(unwrapped(runner.model), "reads", None)
    for epoch in (0, 1):
        draws = [_drawn(one.sampler, epoch) for one in (own, loader)]
        if draws[0] != draws[1]:
            return f"its order of clips in epoch {epoch} is another (seed {runner.seed})"
        for draw in draws[0][:COMPARED]:
            ours, theirs = (part(one.dataset[draw], reads) for one in (own, loader))
            if not same(ours, theirs):
                return f"alone it would read {draw} otherwise"
    return None


def _drawn(sampler: Any, epoch: int) -> list[Any]:
    sampler.set_epoch(epoch)
    return list(sampler)


def _yields(dataset: Any) -> Any:
    return getattr(dataset, "modalities", None)


def _plain(value: Any) -> Any:
    """A function that was given arguments, as something that can be compared."""
    return (value.func, value.args, value.keywords) if hasattr(value, "func") else value


def same(one: Any, other: Any) -> bool:
    """Whether two trees of tensors, arrays and plain values are equal bit for bit."""
    if isinstance(one, Mapping):
        return (
            isinstance(other, Mapping) and set(one) == set(other) and all(same(one[k], other[k]) for k in one)
        )
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    return bool(np.array_equal(one, other))


def _tensors(tree: Any) -> list[Tensor]:
    if isinstance(tree, Tensor):
        return [tree]
    nodes = tree.values() if isinstance(tree, Mapping) else tree if isinstance(tree, list | tuple) else ()
    return [tensor for node in nodes for tensor in _tensors(node)]


def _own(settings: Mapping[str, Any]) -> dict[str, Any]:
    """A plain dict of settings; what a config imports lazily is resolved by ``items``."""
    return {name: value for name, value in settings.items()}
