"""Trains several rows in one process: batches are read once, and equal teachers run once for all.

Rows stand between plus signs, each with the options of tools/train.py:

    python tools/cohort.py ROW --seed 0 + ROW --distiller fitnet --seed 0

Each ends with the files of its run by tools/train.py. A row that cannot share is refused and the others go on.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import command
import train

PLUS = "+"


def parse() -> argparse.Namespace:
    """The command line."""
    parser = command.parser(__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--measure",
        metavar="FILE",
        help="train nothing; write what each row would share and have to itself, in seconds an epoch, as JSON",
    )
    parser.add_argument(
        "words", nargs=argparse.REMAINDER, metavar="ROW ... + ROW ...", help="rows and options"
    )
    return parser.parse_args()


def split(words: Sequence[str]) -> Iterator[list[str]]:
    """The command lines between plus signs."""
    line: list[str] = []
    for word in [*words, PLUS]:
        if word != PLUS:
            line.append(word)
        elif line:
            yield line
            line = []


def cohort(arguments: argparse.Namespace) -> int:
    """Train all; 0 if all ended well, 75 if they were stopped, 1 if one failed."""
    lines = list(split(arguments.words))
    if len(lines) < 2 and not arguments.measure:
        raise ValueError(f"a cohort is two rows or more, with '{PLUS}' between them; there is: {len(lines)}")
    runs = [train.parse(line) for line in lines]
    check(runs)
    if arguments.measure:
        return measure(runs, Path(arguments.measure))
    from kdbench.engine.cohort import Cohort, Member
    from kdbench.models.cohort import shared_teachers

    members = [member(Member, run, line) for run, line in zip(runs, lines, strict=True)]
    return ended(Cohort(members, shared_teachers, say))


def stack(arguments: argparse.Namespace) -> int:
    """Train the seeds of one row (``tools/train.py --seeds``) in one pass; the same codes."""
    seeds = arguments.seeds
    if len(set(seeds)) < 2 or len(set(seeds)) < len(seeds) or arguments.seed is not None:
        raise ValueError(f"--seeds are two or more, each once, without --seed; there is: {seeds}")
    if arguments.dry_run or arguments.print_config:
        raise ValueError("--dry-run and --print-config are of one seed; give --seed")
    lines = list(of_each_seed(sys.argv[1:], arguments))
    runs = [train.parse(line) for line in lines]
    check(runs)
    from kdbench.engine.stack import Seed, Stack
    from kdbench.models.stack import StackedModels

    return ended(Stack([member(Seed, *pair) for pair in zip(runs, lines, strict=True)], StackedModels, say))


def of_each_seed(words: Sequence[str], arguments: argparse.Namespace) -> Iterator[list[str]]:
    """The command line of each seed alone."""
    start = next(i for i, word in enumerate(words) if word.split("=")[0] == "--seeds")
    left = [*words[:start], *words[start + len(arguments.seeds) + ("=" not in words[start]) :]]
    for seed in arguments.seeds:
        place = [] if arguments.work_dir is None else ["--work-dir", f"{arguments.work_dir}/seed{seed}"]
        yield [*left, "--seed", str(seed), *place]


def say(line: str) -> None:
    """Tell how a member ended."""
    print(line, file=sys.stderr, flush=True)


def ended(together: Any) -> int:
    """Run a cohort and say how its members ended; its code."""
    code: int = together.run()
    for one in together.members:
        if one.metrics is not None:
            print(f"{one.name}, last epoch: {train.shown(one.metrics)}")
    return code


def measure(runs: Sequence[argparse.Namespace], file: Path) -> int:
    """Take a few steps of each row, its teacher untrained; a row that cannot run is left out, with its reason."""
    from kdbench.atomic import write_text
    from kdbench.engine.shares import shares

    found: list[list[float] | None] = []
    for run in runs:
        with tempfile.TemporaryDirectory() as folder:
            try:
                found.append(list(shares(untrained(run, folder))))
            except Exception as error:
                print(f"{run.config}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
                found.append(None)
    write_text(file, json.dumps(found))
    return 0


def untrained(arguments: argparse.Namespace, folder: str) -> Any:
    """The row's runner with a teacher of random weights, so that it need not be there yet."""
    from kdbench.engine import Runner
    from kdbench.engine.launch import configure

    arguments.work_dir = folder
    config = command.composed(arguments)
    train.prepare(config, arguments)
    if config.model.get("teacher"):
        config.model.teacher.weights = "random"
    for name in ("visualizer", "load_from"):
        config.pop(name, None)
    configure(config, deterministic=arguments.deterministic, threads=arguments.threads)
    return Runner.from_cfg(config)


def check(runs: Sequence[argparse.Namespace]) -> None:
    """Refuse what holds for a process and not for a run."""
    for run in runs:
        if run.launcher != "none":
            raise ValueError(f"a cohort is one process; there is: --launcher {run.launcher}")
    for name in ("threads", "deterministic"):
        values = {getattr(run, name) for run in runs}
        if len(values) > 1:
            raise ValueError(f"--{name} holds for all rows of a cohort; there is: {values}")
    if runs[0].threads:  # read when the numerical libraries are loaded, that is, from here on
        os.environ.update(OMP_NUM_THREADS=str(runs[0].threads), MKL_NUM_THREADS=str(runs[0].threads))


def member(kind: Any, arguments: argparse.Namespace, line: Sequence[str]) -> Any:
    """A row as a member of a kind, not built yet."""

    def make() -> Any:
        from kdbench.engine import Runner

        config = command.composed(arguments)
        train.prepare(config, arguments)
        train.settle(config, arguments)
        return Runner.from_cfg(config)

    return kind(" ".join(line), make, [str(Path(sys.argv[0]).with_name("train.py")), *line])


if __name__ == "__main__":
    sys.exit(command.run(cohort, parse()))
