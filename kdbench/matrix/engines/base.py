"""What a matrix asks of an engine."""

import signal
from abc import ABC, abstractmethod
from typing import NamedTuple

from ..child import Task


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
