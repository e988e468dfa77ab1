"""What our loop costs a step beside a bare one: the real runner with all default hooks around a tiny network.

    python benchmarks/overhead.py [--rounds N] [--profile]

Runs take turns, each of ``STEPS`` steps of plain training on batches that are there already: a bare loop of
forward, backward, clipping and SGD, and the same through ``Runner`` (hooks, log, schedule, optimiser's wrapper). The
weights must be the same bits first. Microseconds a step are CPU time; the difference is the overhead, its bound 150.
``--profile`` prints where it goes.
"""

import argparse
import copy
import cProfile
import logging
import pstats
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

STEPS, BATCH, BOUND = 2000, 8, 150e-6
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


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()
    spent: dict[str, list[float]] = {"bare": [], "ours": []}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(arguments.rounds + 1):
            runner = ours(f"{folder}/{turn}")
            network = copy.deepcopy(runner.model.student)
            calls = {
                "bare": lambda network=network, runner=runner: bare(network, runner.train_dataloader.batch),
                "ours": lambda runner=runner: steps_of(runner),
            }
            for name in sorted(calls, reverse=bool(turn % 2)):
                seconds = timed(calls[name])
                if turn:
                    spent[name].append(seconds)
            assert torch.equal(network.fc.weight, runner.model.student.fc.weight), (
                "the steps are not the same"
            )
        differences = sorted(a - b for a, b in zip(spent["ours"], spent["bare"], strict=True))
        if arguments.profile:
            profile(ours(f"{folder}/profile"))
    low, high = differences[len(differences) // 4], differences[-1 - len(differences) // 4]
    figures = ", ".join(f"{name} {1e6 * statistics.median(values):.0f}" for name, values in spent.items())
    print(
        f"overhead of a step: {1e6 * statistics.median(differences):.0f} [{1e6 * low:.0f}, {1e6 * high:.0f}] us "
        f"(bound {1e6 * BOUND:.0f}); {figures}"
    )


def profile(runner: Runner) -> None:
    """Print where the time of the steps goes."""
    profiler = cProfile.Profile(time.process_time)
    profiler.runcall(steps_of, runner)
    pstats.Stats(profiler).sort_stats("cumtime").print_stats(60)


if __name__ == "__main__":
    main()
