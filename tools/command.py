"""What all commands share: the arguments that choose a row, errors as one line, exit codes.

Exit codes: 0 ok, 1 a file or folder cannot be read or written, 2 wrong use, 3 data missing or invalid, 4 diverged,
5 checkpoint refused, 75 stopped, to be resumed.
Only the standard library is imported at module level, so that ``--help`` answers at once.
Tools use the kdbench of their own checkout, whatever is installed.
"""

import argparse
import csv
import io
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(1, str(Path(__file__).resolve().parents[1]))  # after the tools themselves

NO_ACCESS, WRONG_USE, INVALID_DATA = 1, 2, 3


def at_least(least: int) -> Callable[[str], int]:
    """The type of an argument that is a whole number from ``least``."""

    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"{value}; there is: {least} and more")
        return value

    return number


def all_cores() -> int:
    """How many processes this one may run at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def parser(description: str) -> argparse.ArgumentParser:
    """A parser with the arguments of every command."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    made.add_argument("--traceback", action="store_true", help="show where an error comes from")
    return made


def add_row_arguments(to: argparse.ArgumentParser) -> None:
    """Arguments that say which row runs, and how it differs from its file."""
    to.add_argument("config", help="a row: configs/<method>/<data>_<teacher>_<student>.py")
    for slot in ("teacher", "student", "distiller"):
        to.add_argument(
            f"--{slot}", metavar="PART", help=f"another {slot}, by its name (tools/list.py parts)"
        )
    to.add_argument(
        "--cfg-options",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="settings, e.g. model.distiller.tau=2",
    )
    to.add_argument(
        "--smoke", action="store_true", help="the small form: few samples, one epoch, random teachers"
    )
    to.add_argument("--seed", type=int, help="default: the config's, 0")
    to.add_argument("--work-dir", help="where to write; default: work_dirs/<row>/seed<k>")


def add_machine_arguments(to: argparse.ArgumentParser) -> None:
    """Arguments that say where and how a run computes."""
    to.add_argument("--launcher", default="none", choices=["none", "pytorch", "slurm", "mpi"])
    to.add_argument("--deterministic", action="store_true", help="only deterministic algorithms")
    to.add_argument(
        "--threads", type=int, metavar="N", help="CPU threads; default: OMP_NUM_THREADS, else one a core"
    )


def composed(arguments: argparse.Namespace) -> Any:
    """The config that the row arguments ask for, ``work_dir`` set."""
    from kdbench.compose import compose, parse_options, work_dir
    from kdbench.engine.promises import fill_in

    config = compose(
        arguments.config,
        teacher=arguments.teacher,
        student=arguments.student,
        distiller=arguments.distiller,
        options=parse_options(arguments.cfg_options),
        smoke=arguments.smoke,
        seed=arguments.seed,
    )
    fill_in(config)
    config.work_dir = arguments.work_dir or config.get("work_dir") or work_dir(config)
    return config


def run(function: Callable[[argparse.Namespace], int | None], arguments: argparse.Namespace) -> int:
    """Call a command; what kdbench refuses is one message and an exit code."""
    threads = getattr(arguments, "threads", None)
    if threads:  # read when the numerical libraries are loaded, that is, from here on
        os.environ.update(OMP_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(threads))
    try:
        return function(arguments) or 0
    except BrokenPipeError:  # the reader, such as head, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        code = exit_code(error)
        if code is None or arguments.traceback:
            raise
        print(f"error: {message(error)}", file=sys.stderr)
        return code


def exit_code(error: Exception) -> int | None:
    """The exit code of a refusal; None for an error that is nobody's fault but ours."""
    from kdbench.spec import InvalidDataError, KDBenchError

    if isinstance(error, InvalidDataError):
        return INVALID_DATA
    if isinstance(error, KDBenchError | ValueError | ImportError):
        return int(getattr(error, "exit_code", WRONG_USE))
    return NO_ACCESS if isinstance(error, OSError) else None


def message(error: BaseException) -> str:
    """An error's text with its notes."""
    return "\n".join([str(error) or type(error).__name__, *getattr(error, "__notes__", [])])


def table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Text columns, as wide as they need to be."""
    widths = [max(len(line[i]) for line in [header, *lines]) for i in range(len(header))]
    rows = [header, ["-" * width for width in widths], *lines]
    return "\n".join(
        "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def markdown(header: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table in Markdown."""
    escaped = (
        [cell.replace("|", "\\|") for cell in line] for line in [header, ["---"] * len(header), *lines]
    )
    return [f"| {' | '.join(line)} |" for line in escaped]


def csv_text(lines: Sequence[Mapping[str, Any]]) -> str:
    """Lines of equal keys as CSV with a header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, lines[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()
