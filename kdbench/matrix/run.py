"""A matrix on its way: cells are handed out, their ends are judged, what was killed goes on, what failed is kept."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..engine.hooks import EXIT_PREEMPTED
from .cells import Cell
from .cohorts import Cohorts, together
from .cost import Costs, makespan
from .engines import Engine, Outcome
from .folder import EVENTS, PLAN, PROGRESS, Folder, epoch_of, now, tail
from .plan import Plan
from .process import BUSY, task_of
from .results import DONE, OPEN, judge

WAITING, RUNNING, DONE_NOW, DONE_BEFORE = "waiting", "running", "done", "done before"
FAILED, BLOCKED, STOPPED, NOT_NEEDED = "failed", "blocked", "stopped", "not needed"
STATES = (RUNNING, WAITING, DONE_NOW, DONE_BEFORE, FAILED, BLOCKED, STOPPED, NOT_NEEDED)
STEP = 0.5  # seconds between two looks
REPORT = 5.0  # seconds between two writes of progress.json when nothing happens
COHORT_TOOL = "cohort.py"  # beside tools/train.py
BUSY_PAUSE = 2.0  # seconds before a cell that runs elsewhere is looked at again


@dataclass
class Status:
    """Where a cell stands. ``futile`` counts ends in a row after which no new checkpoint was there."""

    state: str = WAITING
    attempts: int = 0
    futile: int = 0
    reason: str = ""
    error: str = ""
    worker: str = ""
    began: float = 0.0
    seconds: float = 0.0
    epoch: int = 0
    checkpoint: str = ""
    not_before: float = 0.0


class Run:
    """Runs a plan on an engine. ``retries`` ends in a row without progress make a cell failed.

    ``tool`` is ``tools/train.py``; ``listen`` is called with this object whenever something is worth showing. With
    ``cohorts``, cells run together in a process where that is faster; one that leaves a cohort is tried alone.
    """

    def __init__(
        self,
        plan: Plan,
        engine: Engine,
        folder: Folder,
        tool: Path,
        retries: int = 3,
        costs: Costs | None = None,
        listen: Callable[["Run"], None] = lambda _: None,
        cohorts: Cohorts | None = None,
    ):
        self.cohorts = cohorts or Cohorts({})
        self.together: dict[str, tuple[str, ...]] = {}  # of each running process, by its first cell
        self.plan, self.engine, self.folder, self.tool, self.retries = plan, engine, folder, tool, retries
        self.costs, self._listen = costs or Costs(), listen
        needed = set(plan.needed)
        self.status = {
            key: Status(WAITING if key in needed else DONE_BEFORE if key in plan.done else NOT_NEEDED)
            for key in plan.cells
        }
        self.stopping = 0
        self._reported = 0.0

    def of(self, state: str) -> list[str]:
        """The cells in this state."""
        return [key for key, status in self.status.items() if status.state == state]

    @property
    def counts(self) -> dict[str, int]:
        """How many cells are in which state."""
        found = Counter(status.state for status in self.status.values())
        return {state: found[state] for state in STATES if found[state]}

    def stop(self) -> None:
        """Have running cells save and leave; the second time, end them at once. Safe in a signal handler."""
        self.stopping += 1

    def go(self) -> int:
        """Run to the end; 0 if all cells are done, 1 if one failed, 75 if it was stopped."""
        self.folder.write(PLAN, self.plan.as_dict())
        self.folder.add_event(
            "begun", engine=type(self.engine).__name__, jobs=self.engine.jobs, cells=self.counts
        )
        told = 0
        try:
            while self.of(RUNNING) or (self.of(WAITING) and not self.stopping):
                if self.stopping > told:
                    told = self.stopping
                    self.engine.stop(kill=told > 1)
                if not self.stopping:
                    self._hand_out()
                self._report()
                for key, outcome in self.engine.ended(STEP):
                    self._settle(key, outcome)
        finally:
            for key in self.of(WAITING):
                self.status[key].state = STOPPED
            self._report(now_too=True)
            self.folder.add_event("ended", cells=self.counts)
        return EXIT_PREEMPTED if self.of(STOPPED) else int(bool(self.of(FAILED) or self.of(BLOCKED)))

    def _hand_out(self) -> None:
        """Start cells in the plan's order, in which those that share teacher and data stand together."""
        if len(self.together) >= self.engine.jobs:
            return
        now_ready = [
            key
            for key in self.of(WAITING)
            if self._is_ready(key) and time.time() >= self.status[key].not_before
        ]
        parts = self.cohorts.of(now_ready, self.engine.jobs)
        for key in now_ready:
            if len(self.together) < self.engine.jobs and self.status[key].state == WAITING:
                self._start(parts[key])

    def _is_ready(self, key: str) -> bool:
        ready = (DONE_NOW, DONE_BEFORE)
        return all(self.status[before].state in ready for before in self.plan.after[key])

    def _start(self, part: tuple[str, ...]) -> None:
        """Start a cell, or a cohort of cells, in a process."""
        cells, tasks = [self.plan.cells[key] for key in part], []
        for key, cell in zip(part, cells, strict=True):
            status = self.status[key]
            status.state, status.began = RUNNING, time.time()
            status.attempts += 1
            tasks.append(task_of(cell, self.tool, self.folder.log_of(cell), self.engine.threads))
            others = {"cohort": [str(other) for other in cells]} if len(cells) > 1 else {}
            self.folder.add_event("started", cell=str(cell), attempt=status.attempts, **others)
        cohort_tool = self.tool.with_name(COHORT_TOOL)
        whole = together(cells, tasks, cohort_tool, self.folder) if len(part) > 1 else tasks[0]
        self.together[part[0]] = part
        self.engine.start(part[0], whole)
        self._reported = 0.0

    def _settle(self, first: str, outcome: Outcome) -> None:
        """A process has ended; whether its cells have, their folders tell."""
        part = self.together.pop(first)
        for key in part:
            self._settle_cell(key, outcome, len(part))

    def _settle_cell(self, key: str, outcome: Outcome, size: int) -> None:
        cell, status = self.plan.cells[key], self.status[key]
        seconds = (time.time() - status.began) / size
        status.seconds += seconds
        status.worker = ""
        if judge(cell).state == DONE:
            if status.attempts == 1 and self.plan.verdicts[key].state == OPEN:
                self.costs.add_run(cell, status.seconds)
            self._become(key, DONE_NOW, "ended", seconds=round(status.seconds, 1))
        elif outcome.code == BUSY:
            status.not_before = time.time() + BUSY_PAUSE
            status.attempts -= 1
            self._become(key, WAITING, "runs elsewhere")
        elif outcome.was_killed or outcome.code == EXIT_PREEMPTED:
            self._try_again(key, cell, outcome)
        elif size > 1:
            self.cohorts.alone.add(key)
            self._become(key, WAITING, "left its cohort", why=str(outcome))
        else:
            reason = str(outcome) if outcome.code else "it ended without a whole result"
            self._fail(key, cell, reason)

    def _try_again(self, key: str, cell: Cell, outcome: Outcome) -> None:
        """Queue a cell again that did not end by itself, unless it gets nowhere."""
        status = self.status[key]
        newest = _newest_checkpoint(cell)
        status.futile = 0 if newest != status.checkpoint else status.futile + 1
        status.checkpoint = newest
        if status.futile:  # perhaps too much for one process
            self.cohorts.alone.add(key)
        if status.futile > self.retries and not self.stopping:
            self._fail(key, cell, f"{outcome}, {status.futile} times in a row without a new checkpoint")
        else:
            self._become(key, WAITING, "requeued", why=str(outcome), checkpoint=newest)

    def _fail(self, key: str, cell: Cell, reason: str) -> None:
        status = self.status[key]
        log = self.folder.log_of(cell)
        status.error, status.reason = tail(log), reason
        self._become(key, FAILED, "failed", why=reason, log=str(log), error=status.error)
        for other, before in self.plan.after.items():  # in no order: blocking spreads until nothing changes
            if key in before:
                self._block(other, cell)

    def _block(self, key: str, by: Cell) -> None:
        status = self.status[key]
        if status.state != WAITING:
            return
        status.reason = f"by {by}"
        self._become(key, BLOCKED, "blocked", by=str(by))
        for other, before in self.plan.after.items():
            if key in before:
                self._block(other, by)

    def _become(self, key: str, state: str, event: str, **about: Any) -> None:
        self.status[key].state = state
        self.folder.add_event(event, cell=str(self.plan.cells[key]), **about)
        self._reported = 0.0

    def _report(self, now_too: bool = False) -> None:
        """Write progress.json and call the listener."""
        if not now_too and time.monotonic() - self._reported < REPORT:
            return
        for first, part in self.together.items():
            for key in part:
                status = self.status[key]
                status.epoch, status.worker = epoch_of(self.plan.cells[key]), self.engine.worker_of(first)
        self._reported = time.monotonic()
        self.folder.write(PROGRESS, progress(self))
        self._listen(self)


def progress(run: Run) -> dict[str, Any]:
    """What progress.json says."""
    cells = [
        {
            "row": cell.row,
            "seed": cell.seed,
            "folder": key,
            "state": status.state,
            "attempts": status.attempts,
            "epoch": status.epoch if status.state == RUNNING else None,
            "epochs": cell.epochs,
            "worker": status.worker or None,
            "seconds": round(status.seconds, 1),
            "reason": status.reason or None,
            "log": str(run.folder.log_of(cell)) if status.attempts else None,
            "error": status.error or None,
        }
        for key, status in run.status.items()
        for cell in [run.plan.cells[key]]
    ]
    return {
        "matrix": run.plan.name,
        "updated_utc": now(),
        "counts": run.counts,
        "seconds_left": left(run),
        "events": str(run.folder.path / EVENTS),
        "same": run.plan.same,
        "cells": cells,
    }


def left(run: Run) -> float | None:
    """Seconds until everything is done, from the estimates; None where nothing is known."""
    open_ = [key for key, status in run.status.items() if status.state in (WAITING, RUNNING)]
    seconds = {key: _left_of(run, key) for key in open_}
    if open_ and all(value is None for value in seconds.values()):
        return None
    return round(makespan(run.plan, open_, seconds, run.engine.jobs), 1)


def _left_of(run: Run, key: str) -> float | None:
    """What a cell has still to do: its estimate, less the epochs that it has behind it."""
    cell, status = run.plan.cells[key], run.status[key]
    whole = run.costs.estimate(cell).seconds
    if whole is None or status.state != RUNNING or not cell.epochs:
        return whole
    return whole * max(0.0, 1 - status.epoch / cell.epochs)


def _newest_checkpoint(cell: Cell) -> str:
    """The name that the folder's pointer has, empty without one."""
    pointer = Path(cell.folder, "last_checkpoint")
    return pointer.read_text(encoding="utf-8").strip() if pointer.is_file() else ""
