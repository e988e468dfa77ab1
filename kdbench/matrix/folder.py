"""The files of a matrix: its plan, its progress, everything that happened, the output of its cells, and locks.

A lock is the kernel's (``flock``): it is gone with the process that held it, however that died.
"""

import fcntl
import json
import os
import re
import socket
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ..atomic import write_text
from ..spec import KDBenchError
from .cells import SMOKE_DIRS, WORK_DIRS, Cell

PLAN, PROGRESS, EVENTS, LOCK, LOGS, PASSED = (
    "plan.json",
    "progress.json",
    "events.jsonl",
    "lock",
    "logs",
    "passed.json",
)
CELL_LOCK = "cell.lock"
TAIL_BYTES, TAIL_LINES = 8192, 12


class LockedError(KDBenchError):
    """Another process works on the same folder."""


class Lock:
    """A file that one process holds at a time; it says who. Threads and forks of the holder hold it too."""

    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)

    def take(self, patience: float = 0.0) -> bool:
        """Whether the lock is ours now; waits for ``patience`` seconds at most."""
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    return False
                time.sleep(0.05)
                continue
            os.ftruncate(self._descriptor, 0)
            os.pwrite(
                self._descriptor, json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode(), 0
            )
            return True

    @property
    def holder(self) -> str:
        """Who wrote the file last."""
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
            return f"process {found['pid']} on {found['host']}"
        except (OSError, ValueError, KeyError):
            return "another process"

    def release(self) -> None:
        """Let go; the file stays, since another process may be waiting for it."""
        os.close(self._descriptor)


class Folder:
    """``work_dirs/matrices/<name>``; nothing in it is needed to go on, results and checkpoints say what is done."""

    def __init__(self, name: str, smoke: bool = False):
        self.path = Path(SMOKE_DIRS if smoke else WORK_DIRS) / "matrices" / name

    def claim(self) -> None:
        """Make the folder, and refuse to work beside another process on the same matrix."""
        (self.path / LOGS).mkdir(parents=True, exist_ok=True)
        self.lock = Lock(self.path / LOCK)
        if not self.lock.take():
            raise LockedError(
                f"{self.path} is worked on by {self.lock.holder}; wait for it, or stop it with SIGTERM"
            )

    def log_of(self, cell: Cell) -> Path:
        """Where a cell's output goes."""
        return self.path / LOGS / re.sub(r"[^\w+=.\-]+", "-", f"{cell.row}-seed{cell.seed}.log")

    def write(self, name: str, content: Any) -> None:
        """Replace a JSON file in one step."""
        write_text(self.path / name, json.dumps(content, indent=1) + "\n")

    def read(self, name: str) -> Any:
        """A JSON file; None if it is not there or not whole."""
        try:
            return json.loads((self.path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def add_event(self, what: str, **about: Any) -> None:
        """Append a line to ``events.jsonl``; one that a kill cut off stays, and the next begins a new line."""
        with open(self.path / EVENTS, "a+b") as file:
            cut = file.seek(0, os.SEEK_END) and (file.seek(-1, os.SEEK_END), file.read(1))[1] != b"\n"
            line = json.dumps({"utc": now(), "event": what, **about})
            file.write(b"\n" * bool(cut) + line.encode() + b"\n")


def now() -> str:
    """The time, to the millisecond, as ISO 8601 in UTC."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def tail(path: Path) -> str:
    """The last lines of a cell's output."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return "\n".join(lines[-TAIL_LINES:])


def epoch_of(cell: Cell) -> int:
    """How many epochs a running cell has logged; 0 if it keeps no log."""
    logs = sorted(Path(cell.folder).glob("*/vis_data/scalars.json"), key=lambda path: path.stat().st_mtime_ns)
    found = re.findall(r'"epoch": (\d+)', tail(logs[-1])) if logs else []
    return int(found[-1]) if found else 0
