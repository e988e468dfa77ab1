"""The teacher is sped up before the first step, and again in the same way when a run goes on."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.dist import broadcast_object_list, is_distributed
from mmengine.hooks import Hook

from ..registry import HOOKS
from .hooks import unwrapped
from .state import preserved_rng


@HOOKS.register_module()
class SpeedUpTeacher(Hook):
    """Calls ``speed_up`` of a model that has a ``teacher_speedup`` with the first clips of the first epoch.

    What was taken is in checkpoints, so that a run that goes on takes the same; of several processes the first chooses.
    """

    def __init__(self) -> None:
        self._taken: list[str] | None = None

    def state_dict(self) -> dict[str, Any]:
        """What was taken."""
        return {"taken": self._taken}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take the same again."""
        self._taken = state["taken"]

    def after_resume(self, runner: Any) -> None:
        model = unwrapped(runner.model)
        if getattr(model, "teacher_speedup", None) is None:
            return
        with preserved_rng():
            batches = list(_first_batches(runner.train_dataloader, model.teacher_speedup.clips))
            around = lambda: runner.optim_wrapper.optim_context(runner.model)  # noqa: E731
            left = runner.max_iters - runner.iter
            if runner.rank == 0 or self._taken is not None:
                model.speed_up(batches, left, around, runner.logger.info, self._taken)
            if is_distributed() and self._taken is None:
                chosen = [list(model.sped_up.means) if runner.rank == 0 else None]
                broadcast_object_list(chosen)
                if runner.rank != 0:
                    model.speed_up(batches, left, around, runner.logger.info, chosen[0])
        self._taken = list(model.sped_up.means)


def _first_batches(loader: Any, clips: int) -> Iterator[Any]:
    """The first batches of the first epoch, ``clips`` clips or a few more; at least one batch."""
    if hasattr(loader.sampler, "set_epoch"):
        loader.sampler.set_epoch(0)
    draws = iter(loader.sampler)
    for _ in range(0, max(clips, 1), loader.batch_size):
        if drawn := list(itertools.islice(draws, loader.batch_size)):
            yield loader.collate_fn([loader.dataset[draw] for draw in drawn])
