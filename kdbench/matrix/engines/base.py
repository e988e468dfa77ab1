"""What a matrix asks of an engine, and how a cell's process is run where an engine puts it."""

import contextlib
import json
import signal
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..process import environment

HEARS_AFTER = 0.5  # seconds
Task = Mapping[str, Any]


class Outcome(NamedTuple):
    """How a cell's process ended: its exit code (negative: the signal that killed it), None if its machine is gone."""

    code: int | None
    reason: str = ""

    @property
    def was_killed(self) -> bool:
        """Whether it did not end by itself: worth another try from its checkpoint."""
        return self.code is None or self.code < 0

    def __str__(self) -> str:
        if self.code is None:
            return self.reason or "its worker is gone"
        return f"killed by {signal.Signals(-self.code).name}" if self.code < 0 else f"exit code {self.code}"


class Engine(ABC):
    """Runs tasks, as many at a time as ``jobs`` says."""

    def __init__(self, jobs: int, threads: int = 1):
        if jobs < 1 or threads < 1:
            raise ValueError(f"jobs and threads are at least 1; there is: jobs={jobs}, threads={threads}")
        self.jobs, self.threads = jobs, threads

    @abstractmethod
    def start(self, key: str, task: Task) -> None:
        """Run a task; ``key`` is new or has ended."""

    @abstractmethod
    def ended(self, seconds: float) -> list[tuple[str, Outcome]]:
        """The tasks that ended since the last call; waits for the first one, ``seconds`` at most."""

    @abstractmethod
    def stop(self, kill: bool = False) -> None:
        """Ask every task to save and leave (exit code 75), or end it at once."""

    def worker_of(self, key: str) -> str:
        """Where a running task runs, in words."""
        return ""

    def close(self) -> None:  # noqa: B027 (most have nothing to give back)
        """Give everything back; no task runs any more."""


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
