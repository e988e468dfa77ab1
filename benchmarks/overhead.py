"""What our loop costs a step beside a bare one: the real runner with all default hooks around a tiny network.

Runs take turns, each of ``STEPS`` steps of plain training on batches that are there already: a bare loop of
forward, backward, clipping and SGD, and the same through ``Runner`` (hooks, log, schedule, optimiser's wrapper). The
weights must be the same bits first. Microseconds a step are CPU time; the difference is the overhead, its bound 150.
"""

import copy
import logging
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from kdbench.engine import PrecisionOptimWrapper, Runner
from kdbench.models import Distillation
from kdbench.registry import BACKBONES

from .figures import Figure, Figures, duration
from .interleaved import Ratio

STEPS, BATCH, ROUNDS, BOUND = 1000, 8, 7, 150e-6
MAX_NORM = 5.0


@BACKBONES.register_module()
class Tiny(nn.Module):
    """As little as a network can be."""

    reads = ("inertial",)

    def __init__(self, num_classes: int):
        super().__init__()
        self.fc = nn.Linear(6, num_classes)

    def forward(self, inertial: Tensor) -> Tensor:
        return self.fc(inertial.mean(1))


class Batches:
    """A loader whose batches cost nothing."""

    sampler, batch_size = None, BATCH

    def __init__(self) -> None:
        rng = torch.Generator().manual_seed(0)
        self.dataset = [0] * BATCH
        self.batch = {
            "inputs": {"inertial": torch.randn(BATCH, 4, 6, generator=rng)},
            "target": torch.arange(BATCH) % 5,
            "index": torch.arange(BATCH),
        }

    def __len__(self) -> int:
        return STEPS

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter([self.batch] * STEPS)


def ours(folder: str) -> Runner:
    """A run that is set up: what is timed is its one epoch."""
    torch.manual_seed(0)
    runner = Runner(
        model=dict(type=Distillation, data=DATA, student=dict(type="Tiny")),
        work_dir=folder,
        train_dataloader=Batches(),
        train_cfg=dict(max_epochs=1),
        optim_wrapper=dict(
            type=PrecisionOptimWrapper,
            optimizer=dict(type="SGD", lr=1e-3, momentum=0.9),
            clip_grad=dict(max_norm=MAX_NORM),
        ),
        param_scheduler=dict(type="CosineAnnealingLR", T_max=STEPS, by_epoch=False, eta_min=1e-3),
        custom_hooks=[dict(type="kdbench.engine.record.RecordResult")],
        log_level=logging.ERROR,
    )
    next(runner.turns())
    return runner


DATA = dict(name="random", inputs=dict(inertial=(4, 6)), num_classes=5)


def bare(network: nn.Module, batch: dict[str, Any]) -> None:
    """The same steps by hand."""
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3, momentum=0.9)
    parameters = list(network.parameters())
    for _ in range(STEPS):
        loss = nn.functional.cross_entropy(network(batch["inputs"]["inertial"]), batch["target"])
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, MAX_NORM)
        optimizer.step()
        optimizer.zero_grad()


def steps_of(runner: Runner) -> None:
    """All steps of a run, its end left out."""
    loop = runner.train_loop
    runner.call_hook("before_train")
    for _ in loop.epoch_turns():
        pass


def timed(do: Callable[[], None]) -> float:
    """CPU seconds a step."""
    began = time.process_time()
    do()
    return (time.process_time() - began) / STEPS


def figures(quick: bool) -> Figures:
    """What is above the bare loop, over what is allowed."""
    spent: dict[str, list[float]] = {"bare": [], "ours": []}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(2 if quick else ROUNDS + 1):
            for name, seconds in one_turn(f"{folder}/{turn}", turn % 2 == 1).items():
                spent[name] += [seconds] * (turn > 0)
    above = [a - b for a, b in zip(spent["ours"], spent["bare"], strict=True)]
    low, middle, high = statistics.quantiles(above, n=4) if len(above) > 1 else above * 3
    shown = f"above a bare loop of {duration(statistics.median(spent['bare']))}, {duration(middle)}"
    share = Ratio(middle / BOUND, low / BOUND, high / BOUND)
    yield Figure("overhead of a step", shown, f"allowed {duration(BOUND)}", share, target=1.0)


def one_turn(folder: str, ours_first: bool) -> dict[str, float]:
    """CPU seconds a step of both; they end with the same weights."""
    runner = ours(folder)
    network = copy.deepcopy(runner.model.student)
    calls: dict[str, Callable[[], None]] = {
        "bare": lambda: bare(network, runner.train_dataloader.batch),
        "ours": lambda: steps_of(runner),
    }
    found = {name: timed(calls[name]) for name in sorted(calls, reverse=ours_first)}
    if not torch.equal(network.fc.weight, runner.model.student.fc.weight):
        raise AssertionError("the steps are not the same")
    return found
