"""A program that kills a process in the middle of saving, many times, and looks for the newest or previous state.

python -m tests.test_engine.saves FOLDER --kills 120
"""

import argparse
import os
import random
import signal
import sys
import time
from pathlib import Path

import torch

from kdbench.engine.checkpoint import add_checkpoint, checkpoints, newest_checkpoint, read_checkpoint


def save(folder: Path, step: int, keep: int) -> None:
    tree = {"step": step, "weights": torch.full((100_000,), float(step)), "nested": {"a": (1, 2.5)}}
    add_checkpoint(folder, step, tree, keep)


def save_for_ever(folder: Path, first: int, pipe: int, keep: int) -> None:
    """Save one state after the other, and tell the number of each once it is saved."""
    step = first
    while True:
        save(folder, step, keep)
        os.write(pipe, step.to_bytes(8, "little"))
        step += 1


def one_kill(folder: Path, first: int, keep: int, seconds: float) -> int:
    """Gives the number of the last state that the killed process said was saved."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            save_for_ever(folder, first, write_end, keep)
        finally:
            os._exit(1)
    os.close(write_end)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    if os.waitpid(child, 0)[1] != signal.SIGKILL:
        sys.exit("the writer failed")
    with open(read_end, "rb") as pipe:
        said = pipe.read()
    return int.from_bytes(said[-8:], "little") if said else first - 1


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=120)
    arguments = parser.parse_args()
    rng, last, halves, warnings = random.Random(0), 2, 0, []
    began = time.perf_counter()
    for step in range(last + 1):
        save(arguments.folder, step, keep=2)
    usual = (time.perf_counter() - began) / (last + 1)
    for k in range(arguments.kills):
        keep = 1 + k % 3
        saved = one_kill(arguments.folder, last + 1, keep, rng.uniform(0, 3 * usual))
        halves += any(".tmp" in path.name for path in arguments.folder.iterdir())
        path = newest_checkpoint(arguments.folder, warnings.append)
        state = read_checkpoint(path)
        if state["step"] not in (saved, saved + 1) or not (state["weights"] == state["step"]).all():
            sys.exit(f"after kill {k} the state is {state['step']}, not {saved} or {saved + 1}")
        last = state["step"]
    broken = len(warnings)
    print(
        f"{arguments.kills} kills, {last + 1} saves, {halves} left a half file, {broken} broken checkpoints"
    )
    if broken or not checkpoints(arguments.folder):
        sys.exit("a kill broke a checkpoint")


if __name__ == "__main__":
    main()
