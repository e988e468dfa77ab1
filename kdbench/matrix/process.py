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

PLUS = "+"  # between the rows of tools/cohort.py
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


def plain_task(tool: Path, arguments: list[str], log: Path) -> dict[str, Any]:
    """The same for a tool of no cell; a folder stands for a log in it."""
    log = log / f"{tool.stem}.log" if log.is_dir() else log
    paths = {"tool": str(tool.resolve()), "log": str(log.resolve()), "root": str(Path.cwd())}
    return {**paths, "arguments": arguments}


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
    """Run a cell, a cohort of cells or a tool to its end; the exit code."""
    os.chdir(task["root"])
    write_to(Path(task["log"]))
    if "members" in task:
        return run_together(task)
    if "cell" in task and (code := claim(Cell.from_dict(task["cell"]))) is not None:
        return code
    return call(Path(task["tool"]), task["arguments"])


def run_together(task: Mapping[str, Any]) -> int:
    """Run the cells of a cohort that are free and not done; one that is left over runs as it would alone."""
    claimed = [member for member in task["members"] if claim(Cell.from_dict(member["cell"])) is None]
    if not claimed:
        return 0
    for member in claimed:
        with open(member["log"], "a", encoding="utf-8") as file:
            file.write(
                f"--- {now()} process {os.getpid()}: in a cohort of {len(claimed)}; see {task['log']}\n"
            )
    if len(claimed) == 1:
        return call(Path(claimed[0]["tool"]), claimed[0]["arguments"])
    words = [word for member in claimed for word in (PLUS, *member["arguments"])]
    return call(Path(task["tool"]), words[1:])


def claim(cell: Cell) -> int | None:
    """Take a cell's lock and sign its folder; an exit code where there is nothing to do or another's files stand."""
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
    return None


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
