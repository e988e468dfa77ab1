"""A training loop that can be left after any step and entered again there."""

import itertools
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any

from mmengine.dist import all_gather_object, is_distributed
from mmengine.registry import LOOPS
from mmengine.runner import EpochBasedTrainLoop

from .state import preserved_rng, rng_state, set_rng_state

Turns = Generator[Any, Any, None]


@LOOPS.register_module()
class TrainLoop(EpochBasedTrainLoop):
    """mmengine's epoch loop with a position inside the epoch.

    Two more stages for hooks, in which all counters agree and a checkpoint may be taken: ``after_step(runner)`` after
    each update of the weights, ``after_round(runner)`` after an epoch and its validation. ``after_resume(runner)`` is
    once, when everything is in its place and no turn was taken yet. Neither the start of the
    loader's workers nor validation disturbs the random streams of training.

    ``source(epoch, batch)``, if one is set, gives the batches of an epoch from that one on, in the loader's place.
    With ``hands_over`` the pause of ``turns`` is before a step, and gives the batch: whoever takes the turns may make
    the step, and sends its outputs; with ``None`` the run makes it itself.
    """

    def __init__(self, runner: Any, dataloader: Any, max_epochs: int, **kwargs: Any):
        super().__init__(runner, dataloader, max_epochs, **kwargs)
        self.batch, self.validation_due = 0, False
        self._held_rng: dict[str, Any] | None = None  # of training, while validation runs
        self._resumed_rng: dict[str, Any] | None = None
        self.hands_over = False
        self.source: Callable[[int, int], Iterator[Any]] | None = None
        self.batches = len(self.dataloader)  # an epoch; the loader's own length is shorter while it resumes
        self._check_length()

    def _check_length(self) -> None:
        lengths = [self.batches]
        if is_distributed():
            lengths = all_gather_object(self.batches)
        if min(lengths) == 0 or len(set(lengths)) > 1:
            raise ValueError(
                f"every process needs the same number of batches an epoch, at least one; there is: {lengths}"
                " (set drop_last=True, or a batch_size that fits the data)"
            )

    @property
    def position(self) -> dict[str, Any]:
        """Where training is."""
        return {
            "epoch": self._epoch,
            "iter": self._iter,
            "batch": self.batch,
            "validation_due": self.validation_due,
        }

    def rng_state(self) -> dict[str, Any]:
        """The random state with which training goes on."""
        return self._held_rng or rng_state()

    def go_to(self, position: Mapping[str, Any], rng: dict[str, Any] | None) -> None:
        """Go on at ``position`` with these random states when ``run`` is called."""
        self._epoch, self._iter, self.batch = position["epoch"], position["iter"], position["batch"]
        self.validation_due, self._resumed_rng = position["validation_due"], rng

    def run(self) -> Any:
        """Train from the present position to the end, unless whoever asked for ``turns`` will do so."""
        self.runner.call_hook("after_resume")
        if not self.runner.takes_turns:
            for _ in self.turns():
                pass
        return self.runner.model

    def turns(self) -> Turns:
        """Train from the present position to the end, and pause after each batch, or before it (``hands_over``)."""
        self.runner.call_hook("before_train")
        if self.batch == 0:
            self._apply_resumed_rng()
        if self.validation_due:
            self._end_round()
        while self._epoch < self._max_epochs and not self.stop_training:
            yield from self.epoch_turns()
            self._end_round()
        self.runner.call_hook("after_train")

    def epoch_turns(self) -> Turns:
        """The rest of the present epoch."""
        self.runner.call_hook("before_train_epoch")
        self.runner.model.train()
        for data_batch in self._remaining_batches():
            yield from self._batch_turn(data_batch)
        self.runner.call_hook("after_train_epoch")
        self._epoch, self.batch = self._epoch + 1, 0
        self._decide_current_val_interval()
        is_due = self._epoch % self.val_interval == 0 or self._epoch == self._max_epochs
        self.validation_due = self.runner.val_loop is not None and self._epoch >= self.val_begin and is_due

    def _batch_turn(self, data_batch: Any) -> Turns:
        """One batch; ``after_step`` follows unless gradients are still being accumulated."""
        runner, batch = self.runner, {"batch_idx": self.batch, "data_batch": data_batch}
        runner.call_hook("before_train_iter", **batch)
        outputs = (yield data_batch) if self.hands_over else None
        if outputs is None:
            outputs = runner.model.train_step(data_batch, optim_wrapper=runner.optim_wrapper)
        runner.call_hook("after_train_iter", **batch, outputs=outputs)
        self._iter, self.batch = self._iter + 1, self.batch + 1
        if runner.optim_wrapper.should_update():
            runner.call_hook("after_step")
        if not self.hands_over:
            yield

    def _remaining_batches(self) -> Iterator[Any]:
        batches = self._from_loader() if self.source is None else self.source(self._epoch, self.batch)
        self._apply_resumed_rng()
        return batches

    def _from_loader(self) -> Iterator[Any]:
        sampler = self.dataloader.sampler
        if hasattr(sampler, "set_epoch"):
            sampler.set_epoch(self._epoch)
        can_skip = hasattr(sampler, "skip")
        if can_skip:
            sampler.skip(self.batch * self.dataloader.batch_size)
        with preserved_rng():  # a loader draws a seed for its workers whenever it starts
            batches = iter(self.dataloader)
            if not can_skip:
                batches = itertools.islice(batches, self.batch, None)
        return batches

    def _apply_resumed_rng(self) -> None:
        # As late as possible: hooks before the first step may draw numbers, and did so before the state was saved.
        if self._resumed_rng is not None:
            set_rng_state(self._resumed_rng)
            self._resumed_rng = None

    def _end_round(self) -> None:
        if self.validation_due:
            with preserved_rng() as self._held_rng:
                self.runner.val_loop.run()
            self._held_rng, self.validation_due = None, False
        self.runner.call_hook("after_round")
