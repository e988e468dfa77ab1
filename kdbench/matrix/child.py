"""A cell's process as the one that starts it sees it; and how it ends with that one.

Only the standard library is imported: a worker of Ray or Slurm, which only waits, has no need of torch.
"""

import contextlib
import ctypes
import json
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Task = Mapping[str, Any]
HEARS_AFTER = 0.5  # seconds
# glibc gives freed blocks above a threshold back to the system, and each new one is page faults: measured by
# benchmarks/cells.py. It reads these when a process starts.
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": str(1 << 32), "MALLOC_TRIM_THRESHOLD_": str(1 << 33)}
_PR_SET_PDEATHSIG = 1
_ROOT = Path(__file__).resolve().parents[2]


def environment(threads: int) -> dict[str, str]:
    """Variables that have to be set before a cell's process starts; what the user says of the allocator stands.

    Cells of a checkout import that checkout, not what the environment has installed.
    """
    allocator = ALLOCATOR if platform.libc_ver()[0] == "glibc" else {}
    made = {**allocator, **os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    if (_ROOT / "setup.py").is_file():
        made["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
    return made


def end_with_parent(parent: int, number: int = signal.SIGTERM) -> None:
    """Have the kernel send this process a signal when its parent is gone (Linux); leave if it is gone already."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)


def command(task: Task, parent: int) -> list[str]:
    """The command line of a cell's own process."""
    return [sys.executable, "-m", "kdbench.matrix.process", json.dumps({**task, "parent": parent})]


class Child:
    """A cell's process below this one, for engines whose own workers wait for it."""

    def __init__(self, task: Task, threads: int, parent: int):
        self.process = subprocess.Popen(
            command(task, parent),
            cwd=Path(task["root"]),
            env=environment(threads),
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the matrix, which asks its cells to save
        )

    def ask(self, kill: bool = False) -> None:
        """Ask it to save and leave, or end it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)

    def wait(self) -> int:
        """Its exit code. It is asked for again and again, so that an interrupt of this thread is heard."""
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return self.process.wait(timeout=HEARS_AFTER)
