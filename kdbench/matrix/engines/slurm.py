"""Cells as jobs of Slurm, through submitit, whose ``local`` cluster does the same on this machine."""

import os
import time
from pathlib import Path
from typing import Any

from ..child import Child, Task
from .base import Engine, Outcome

POLL = 0.2
LOST_AFTER = 5.0  # seconds for which a job may be over before its result is on a shared disk


def load_submitit() -> Any:
    """``submitit``; it is optional."""
    try:
        import submitit
    except ImportError as error:
        from ...spec import MissingPackageError

        raise MissingPackageError(
            f"the engine 'slurm' needs submitit ({error}); pip install kdbench[slurm]"
        ) from error
    return submitit


class CellJob:
    """A job: it waits for the cell's process. Slurm's warning before a stop has the cell saved and requeued."""

    def __init__(self, task: Task, threads: int):
        self.task, self.threads = dict(task), threads
        self._child: Child | None = None

    def __call__(self) -> int:
        self._child = Child(self.task, self.threads, os.getpid())
        return self._child.wait()

    def checkpoint(self) -> Any:
        """Called inside the job: have the cell saved, and ask for the same job again."""
        if self._child is not None:
            self._child.ask()
            self._child.wait()
        return load_submitit().helpers.DelayedSubmission(CellJob(self.task, self.threads))


class Slurm(Engine):
    """``jobs`` jobs at a time in the queue; ``parameters`` are submitit's, e.g. ``slurm_partition``."""

    def __init__(
        self,
        jobs: int,
        threads: int = 1,
        folder: str | Path = "work_dirs/matrices/slurm",
        cluster: str | None = None,
        **parameters: Any,
    ):
        super().__init__(jobs, threads)
        self._submitit = load_submitit()
        self._executor = self._submitit.AutoExecutor(folder=folder, cluster=cluster)
        self._executor.update_parameters(
            **{"name": "kdbench", "cpus_per_task": threads, "timeout_min": 24 * 60, **parameters}
        )
        self._jobs: dict[str, Any] = {}

    def start(self, key: str, task: Task) -> None:
        self._jobs[key] = self._executor.submit(CellJob(task, self.threads))

    def ended(self, seconds: float) -> list[tuple[str, Outcome]]:
        deadline = time.monotonic() + seconds
        while True:
            over = [key for key, job in self._jobs.items() if job.done()]
            if over or time.monotonic() >= deadline:
                return [(key, self._outcome(self._jobs.pop(key))) for key in over]
            time.sleep(min(POLL, seconds))

    def _outcome(self, job: Any) -> Outcome:
        deadline = time.monotonic() + LOST_AFTER
        while not job.paths.result_pickle.exists() and time.monotonic() < deadline:
            time.sleep(POLL)
        if not job.paths.result_pickle.exists():
            return Outcome(None, f"job {job.job_id} ended as {job.state} without an answer")
        error = job.exception()
        return Outcome(job.result()) if error is None else Outcome(None, str(error).splitlines()[0])

    def stop(self, kill: bool = False) -> None:
        for job in self._jobs.values():
            job.cancel(check=False)

    def worker_of(self, key: str) -> str:
        return f"job {self._jobs[key].job_id}" if key in self._jobs else ""
