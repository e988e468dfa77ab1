"""A program that trains the toy once undisturbed and once killed again and again, and compares the two bit for bit.

    python -m tests.test_engine.kills FOLDER --kills 8 --workers 2

It forks a fresh process for each life of the run, so that torch is imported once.
"""

import argparse
import contextlib
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from mmengine.hooks import Hook

from kdbench.engine.checkpoint import checkpoints, read_checkpoint
from kdbench.engine.log import HISTORY
from kdbench.engine.state import flatten

from . import toy


class Beacon(Hook):
    """Writes a byte into a pipe after every step of training."""

    def __init__(self, pipe: int):
        self.pipe = pipe

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        os.write(self.pipe, b".")


def live(folder: Path, steps: int | None, rng: random.Random, **options) -> int:
    """Train in a forked process; kill it some moments after ``steps`` more steps. Gives its wait status."""

    def train(beacon: Beacon) -> int:
        toy.runner(folder, resume=True, hooks=[beacon], **options).train()
        return 0

    return forked(train, steps, rng, 0.008)


def forked(train: Callable[[Beacon], int], steps: int | None, rng: random.Random, moments: float) -> int:
    """Run ``train`` in a process of its own; kill it up to ``moments`` seconds after ``steps`` steps of its beacon.

    Gives the wait status; without ``steps`` nothing is killed.
    """
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        os.close(read_end)
        status = 1
        try:
            torch.set_num_threads(1)
            status = train(Beacon(write_end))
        finally:
            sys.stderr.flush()
            os._exit(status)
    os.close(write_end)
    seen = 0
    while data := os.read(read_end, 1):
        seen += len(data)
        if steps is not None and seen >= steps:
            time.sleep(rng.uniform(0, moments))
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
            break
    os.close(read_end)
    return os.waitpid(child, 0)[1]


def outcome(folder: Path) -> tuple:
    """All that a finished run leaves: the last state (weights, optimiser, generators, history) and the files."""
    tensors, text = flatten(read_checkpoint(checkpoints(folder)[0]))
    files = [(folder / name).read_bytes() for name in (HISTORY, "student.safetensors")]
    return {name: tensor.numpy().tobytes() for name, tensor in tensors.items()}, text, files


def warm_up(folder: Path) -> None:
    """Import now what building a run imports, so that no child has to."""
    run = toy.runner(folder)
    run.build_optim_wrapper(run.optim_wrapper)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=8)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    options = {"workers": arguments.workers, "precision": arguments.precision}
    rng = random.Random(arguments.seed)
    warm_up(arguments.folder / "warm_up")
    if live(arguments.folder / "whole", None, rng, **options):
        sys.exit("the undisturbed run failed")
    expected, killed, run = outcome(arguments.folder / "whole"), 0, 0
    while killed < arguments.kills:
        folder = arguments.folder / f"killed{run}"
        while status := live(
            folder, rng.randint(1, 14) if killed < arguments.kills else None, rng, **options
        ):
            if status != signal.SIGKILL:
                sys.exit(f"a resumed run failed: wait status {status}")
            killed += 1
        if outcome(folder) != expected:
            sys.exit(f"run {run} differs from the undisturbed one after {killed} kills")
        run += 1
    print(f"{killed} kills, {run} runs, all bit-identical")


if __name__ == "__main__":
    main()
