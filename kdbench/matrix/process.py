"""The process of one cell: it takes the cell's lock, makes sure whose files it touches, and runs ``tools/train.py``.

python -m kdbench.matrix.process TASK    (JSON, see ``Task``)
"""

import json
import os
import runpy
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .cells import Cell
from .child import end_with_parent
from .folder import CELL_LOCK, Lock, now
from .results import DONE, OTHER, judge, write_stamp

BUSY = 73  # another process runs this very cell ("cannot create" of sysexits.h)
WRONG_USE = 2
PATIENCE = 20.0  # seconds for which a dying predecessor may hold the lock


def task_of(cell: Cell, tool: Path, log: Path, threads: int) -> dict[str, Any]:
    """All that a process needs to run a cell, in terms that JSON knows."""
    return {
        "cell": cell.as_dict(),
        "tool": str(tool.resolve()),
        "arguments": [*cell.arguments, "--threads", str(threads), "--resume", "auto"],
        "log": str(log.resolve()),
        "root": str(Path.cwd()),
    }


def write_to(log: Path) -> None:
    """Send what this process prints to the end of a file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)


def run(task: Mapping[str, Any]) -> int:
    """Run a cell to its end; the exit code."""
    os.chdir(task["root"])
    write_to(Path(task["log"]))
    cell = Cell.from_dict(task["cell"])
    print(f"--- {now()} process {os.getpid()}: {cell}", flush=True)
    lock = Lock(Path(cell.folder) / CELL_LOCK)  # held until this process and its loaders' workers are gone
    if not lock.take(PATIENCE):
        print(f"{cell.folder} is worked on by {lock.holder}", flush=True)
        return BUSY
    verdict = judge(cell)
    if verdict.state == DONE:
        return 0
    if verdict.state == OTHER:
        print(f"error: {verdict.reason}", flush=True)
        return WRONG_USE
    write_stamp(cell)
    return call(Path(task["tool"]), task["arguments"])


def call(tool: Path, arguments: list[str]) -> int:
    """Run a tool in this process as its own command line would."""
    sys.argv = [os.path.relpath(tool), *arguments]
    sys.path[0] = str(tool.parent)
    try:
        runpy.run_path(str(tool), run_name="__main__")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def main() -> int:
    """Run the task on the command line."""
    task = json.loads(sys.argv[1])
    end_with_parent(task.get("parent", os.getppid()))
    return run(task)


if __name__ == "__main__":
    sys.exit(main())
