"""A program that trains a cohort once undisturbed, once killed again and again, and each member alone; all are equal.

python -m tests.test_engine.cohort_kills FOLDER --kills 4
"""

import argparse
import random
import signal
import sys
from pathlib import Path

import torch

from kdbench.engine.cohort import Cohort, Member
from kdbench.models.cohort import shared_teachers

from .kills import Beacon, forked, outcome
from .test_cohort import of_distillation
from .toy import runner

MEMBERS = range(3)


def member(folder: Path, number: int, hooks: list) -> Member:
    """A run that goes on from where it was."""
    settings = of_distillation(number, hooks=hooks, resume=True)
    settings.pop("custom_hooks")
    return Member(str(number), lambda: runner(folder / str(number), **settings))


def live(folder: Path, steps: int | None, rng: random.Random) -> int:
    """Train the cohort in a forked process; kill it some moments after ``steps`` more steps."""

    def train(beacon: Beacon) -> int:
        return Cohort([member(folder, n, [beacon]) for n in MEMBERS], shared_teachers).run()

    return forked(train, steps, rng, 0.02)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    folder, rng = arguments.folder, random.Random(arguments.seed)
    torch.set_num_threads(1)
    for number in MEMBERS:
        runner(folder / "alone" / str(number), **of_distillation(number)).train()
    killed = whole = 0
    while killed < arguments.kills:
        place = folder / f"killed{whole}"
        while status := live(place, rng.randint(3, 20) if killed < arguments.kills else None, rng):
            if status != signal.SIGKILL:
                sys.exit(f"a resumed cohort failed: wait status {status}")
            killed += 1
        for number in MEMBERS:
            if outcome(place / str(number)) != outcome(folder / "alone" / str(number)):
                sys.exit(f"member {number} differs from its run alone after {killed} kills")
        whole += 1
    print(f"{arguments.kills} kills, all bit-identical")


if __name__ == "__main__":
    main()
