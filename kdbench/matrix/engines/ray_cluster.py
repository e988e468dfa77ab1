"""Cells as tasks of a Ray cluster; every node sees the same work directory."""

import contextlib
import os
import socket
import time
from typing import Any

from ..child import Child, Task
from .base import Engine, Outcome


def load_ray() -> Any:
    """``ray``; it is optional."""
    try:
        import ray
    except ImportError as error:
        from ...spec import MissingPackageError

        raise MissingPackageError(
            f"the engine 'ray' needs Ray ({error}); pip install kdbench[ray]"
        ) from error
    return ray


class RayCluster(Engine):
    """``address`` is a cluster's; without one a cluster of this machine is started for as long as the matrix runs.

    Ray retries nothing: what a lost node had is reported, and goes on from its checkpoint on another one.
    """

    def __init__(self, jobs: int, threads: int = 1, address: str | None = None, gpus: float = 0.0):
        super().__init__(jobs, threads)
        self.ray = load_ray()
        self._is_ours = not self.ray.is_initialized()
        if self._is_ours:
            here: dict[str, Any] = {"address": address} if address else {"num_cpus": jobs * threads}
            self.ray.init(log_to_driver=False, include_dashboard=False, **here)
        remote = self.ray.remote(num_cpus=threads, num_gpus=gpus, max_retries=0)
        self._run = remote(_run_cell)
        self._keys: dict[Any, str] = {}

    def start(self, key: str, task: Task) -> None:
        self._keys[self._run.remote(dict(task), self.threads)] = key

    def ended(self, seconds: float) -> list[tuple[str, Outcome]]:
        if not self._keys:
            time.sleep(seconds)
            return []
        ready, _ = self.ray.wait(list(self._keys), num_returns=1, timeout=seconds)
        return [(self._keys.pop(task), self._outcome(task)) for task in ready]

    def _outcome(self, task: Any) -> Outcome:
        try:
            return Outcome(self.ray.get(task))
        except self.ray.exceptions.TaskCancelledError:
            return Outcome(None, "cancelled")
        except self.ray.exceptions.RayError as error:
            return Outcome(None, f"{type(error).__name__}: {str(error).splitlines()[0]}")

    def stop(self, kill: bool = False) -> None:
        for task in self._keys:
            self.ray.cancel(task, force=kill)

    def close(self) -> None:
        if self._is_ours:
            self.ray.shutdown()


def _run_cell(task: dict[str, Any], threads: int) -> int:
    """A task: wait for the cell's process. A cancelled one (an interrupt in this thread) asks it to save."""
    print(f"{socket.gethostname()} process {os.getpid()}")
    child = Child(task, threads, os.getpid())
    with contextlib.suppress(KeyboardInterrupt):
        return child.wait()
    child.ask()
    return child.wait()
