"""What a run shares with others of its data and teacher, and what it has to itself, in seconds an epoch."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from .hooks import unwrapped
from .runner import Runner

BATCHES = 5  # timed, after one that is not


def shares(runner: Runner, batches: int = BATCHES) -> tuple[float, float, float]:
    """Seconds an epoch that reading, the teacher and the student take: medians over some batches.

    The run takes these steps, so it is not to be trained afterwards.
    """
    loop, model = runner.train_loop, unwrapped(runner.model).train()
    wrapper = runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    wrapper.initialize_count_status(runner.model, 0, loop.max_iters)
    spent: list[tuple[float, float, float]] = []
    read = iter(loop.dataloader)
    for _ in range(min(batches + 1, loop.batches)):
        reading, batch = _timed(lambda: next(read))
        with wrapper.optim_context(model):
            teaching, _ = _timed(lambda batch=batch: _teach(model, batch))
        stepping, _ = _timed(lambda batch=batch: model.train_step(batch, optim_wrapper=wrapper))
        spent.append((reading, teaching, stepping))
    reading, teaching, stepping = (
        statistics.median(column) for column in zip(*spent[1:] or spent, strict=True)
    )
    own = max(stepping - teaching, 0.0)
    return loop.batches * reading, loop.batches * teaching, loop.batches * own


def _teach(model: Any, batch: Any) -> None:
    if getattr(model, "learns_from_teacher", False):
        with torch.no_grad():
            model._roles["teacher"](model.data_preprocessor(batch, True)["inputs"])


def _timed(do: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    found = do()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - began, found
