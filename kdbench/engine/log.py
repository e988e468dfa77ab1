"""The record of a run: losses kept on the device, read together, logged and written as one history."""

import json
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dist import all_reduce
from mmengine.hooks import LoggerHook
from mmengine.logging import HistoryBuffer, MessageHub

from ..atomic import write_text
from ..registry import HOOKS

HISTORY = "history.json"
_LONGEST = 1_000_000  # what a HistoryBuffer keeps


def extend_history(hub: MessageHub, key: str, values: Sequence[float], resumed: bool = True) -> None:
    """Append ``values`` to a scalar of the hub at once: one by one costs a copy of the whole history each."""
    hub.update_scalar(key, values[0], resumed=resumed)
    if len(values) > 1:
        past, counts = hub.get_scalar(key).data
        past = np.concatenate([past, values[1:]])[-_LONGEST:]
        counts = np.concatenate([counts, np.ones(len(values) - 1)])[-_LONGEST:]
        hub.log_scalars[key] = HistoryBuffer(past, counts)


def _is_number(value: Any) -> bool:
    if isinstance(value, torch.Tensor | np.ndarray):
        return int(np.prod(value.shape)) == 1
    return isinstance(value, int | float | np.number)


def _numbers(values: list[Any]) -> list[float]:
    """The values of several steps; tensors are averaged over the processes, each of which saw its part of the batch."""
    if isinstance(values[0], torch.Tensor):
        together = torch.stack([value.detach().reshape(()) for value in values])
        all_reduce(together, "mean")
        return together.tolist()
    return [float(value) for value in values]


@HOOKS.register_module()
class Log(LoggerHook):
    """Takes the place of mmengine's RuntimeInfoHook, IterTimerHook and LoggerHook.

    Every ``interval`` batches, and at an epoch's end if epochs are shorter, the losses of all steps since then are read
    from the device in one go, put into the message hub, and a line is logged. ``history.json`` in the work directory
    holds all of them at the end of training: ``{"train/loss": [a number a step], "val/...": [a number a validation]}``.
    """

    priority = "VERY_HIGH"

    def __init__(self, interval: int = 50, **kwargs: Any):
        super().__init__(interval=interval, **kwargs)
        self._pending: dict[str, list[Any]] = defaultdict(list)
        self._clock = self._began = time.perf_counter()
        self._first_step = 0

    def before_train(self, runner: Any) -> None:
        self._began, self._first_step = time.perf_counter(), runner.iter
        info = {"loop_stage": "train", "max_epochs": runner.max_epochs, "max_iters": runner.max_iters}
        runner.message_hub.update_info_dict(info)

    def before_train_epoch(self, runner: Any) -> None:
        runner.message_hub.update_info("epoch", runner.epoch)
        self._clock = time.perf_counter()

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        runner.message_hub.update_info("iter", runner.iter)
        self._pending["train/data_time"].append(time.perf_counter() - self._clock)
        for name, rates in runner.optim_wrapper.get_lr().items():
            self._pending[f"train/{name}"].append(rates[0])

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Mapping[str, Any] | None = None
    ) -> None:
        for name, value in (outputs or {}).items():
            self._pending[f"train/{name}"].append(value)
        norm = getattr(runner.optim_wrapper, "grad_norm", None)
        if norm is not None:
            self._pending["train/grad_norm"].append(norm)
        now = time.perf_counter()
        self._pending["train/time"].append(now - self._clock)
        self._clock = now
        batches = runner.train_loop.batches
        if (batch_idx + 1) % min(self.interval, batches) == 0:
            self._log(runner, batch_idx)

    def _log(self, runner: Any, batch_idx: int) -> None:
        self.before_state(runner)
        done = runner.iter + 1 - self._first_step
        left = (time.perf_counter() - self._began) / done * (runner.max_iters - runner.iter - 1)
        runner.message_hub.update_info("eta", left)
        tag, line = runner.log_processor.get_log_after_iter(runner, batch_idx, "train")
        runner.logger.info(line)
        runner.visualizer.add_scalars(tag, step=runner.iter + 1, file_path=self.json_log_path)

    def before_state(self, runner: Any) -> None:
        """Bring the hub up to date before somebody reads it or a checkpoint is taken."""
        for key, values in self._pending.items():
            extend_history(runner.message_hub, key, _numbers(values), resumed=not key.endswith("time"))
        self._pending.clear()

    def before_val(self, runner: Any) -> None:
        self.before_state(runner)
        runner.message_hub.update_info("loop_stage", "val")

    def after_val(self, runner: Any) -> None:
        runner.message_hub.update_info("loop_stage", "train" if runner.is_training else None)
        self._clock = time.perf_counter()

    def after_val_epoch(self, runner: Any, metrics: Mapping[str, Any] | None = None) -> None:
        epoch = {"epoch": runner.epoch} if runner.is_training else {}
        self._add_metrics(runner, {**(metrics or {}), **epoch}, "val")
        super().after_val_epoch(runner, metrics)

    def after_test_epoch(self, runner: Any, metrics: Mapping[str, Any] | None = None) -> None:
        self._add_metrics(runner, metrics, "test")
        super().after_test_epoch(runner, metrics)

    @staticmethod
    def _add_metrics(runner: Any, metrics: Mapping[str, Any] | None, stage: str) -> None:
        for name, value in (metrics or {}).items():
            if _is_number(value):
                runner.message_hub.update_scalar(f"{stage}/{name}", value)
            else:
                runner.message_hub.update_info(f"{stage}/{name}", value)

    def after_train(self, runner: Any) -> None:
        self.before_state(runner)
        if runner.rank == 0:
            write_text(Path(runner.work_dir) / HISTORY, json.dumps(history(runner.message_hub)))


def history(hub: MessageHub) -> dict[str, list[float]]:
    """All scalars of a run that another run with the same seed would give again, that is, no times."""
    return {
        key: buffer.data[0].tolist() for key, buffer in hub.log_scalars.items() if not key.endswith("time")
    }
