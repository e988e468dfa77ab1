"""A matrix for the eye: the plan before, the progress while it runs, the table at the end."""

import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from .cost import Estimate, makespan, sources
from .plan import Plan
from .results import BEGUN, OTHER
from .run import BLOCKED, FAILED, RUNNING, Run, left

TextTable = Callable[[Sequence[str], Sequence[Sequence[str]]], str]


def duration(seconds: float | None) -> str:
    """Hours, minutes or seconds.

    >>> [duration(value) for value in (None, 4.2, 90, 7300)]
    ['unknown', '4 s', '1 min 30 s', '2 h 1 min']
    """
    if seconds is None:
        return "unknown"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return (
        f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"
    )


def seeds_text(seeds: Sequence[int]) -> str:
    """Seeds in a few words.

    >>> seeds_text([0, 1, 2, 5])
    '0-2 5'
    """
    words: list[list[int]] = []
    for seed in sorted(seeds):
        if words and seed == words[-1][-1] + 1:
            words[-1].append(seed)
        else:
            words.append([seed])
    return " ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in words)


def plan_text(plan: Plan, estimates: Mapping[str, Estimate], jobs: int, table: TextTable) -> str:
    """What will run, what is done, what is left out, and how long it will take."""
    lines = [table(["row", "seeds", "does", "waits for", "a run"], list(_plan_rows(plan, estimates)))]
    lines += [f"same content: {plan.cells[first]} runs for {key}" for key, first in plan.same.items()]
    lines += _left_out(plan)
    needed = plan.needed
    groups = len({plan.cells[key].group for key in needed})
    lines.append(
        f"\n{len(plan.cells)} cells: {len(plan.done)} done before, {len(needed)} to run in {groups} groups "
        "that share data and teacher"
    )
    chosen = {key: estimates[key] for key in needed}
    if needed:
        lines.append(_estimate(plan, chosen, jobs))
    return "\n".join(lines)


def _plan_rows(plan: Plan, estimates: Mapping[str, Estimate]) -> Iterator[list[str]]:
    """A line for the seeds of a row that are alike."""
    needed, alike = set(plan.needed), defaultdict(list)
    for key, cell in plan.cells.items():
        does = "is done before" if key in plan.done else "runs" if key in needed else "is not needed"
        if key in needed and plan.verdicts[key].state == BEGUN:
            does = "goes on"
        if key in needed and plan.verdicts[key].state == OTHER:
            does = "is another run's"
        before = ", ".join(dict.fromkeys(plan.cells[other].row for other in plan.after[key]))
        alike[cell.row, does, before, duration(estimates[key].seconds)].append(cell.seed)
    for (row, does, before, seconds), seeds in alike.items():
        yield [row, seeds_text(seeds), does, before, seconds]


def _left_out(plan: Plan) -> list[str]:
    lines = []
    for row in dict.fromkeys(found.row for found in plan.left_out):
        lines.append(f"\nleft out of 'all' distillers for {row}:")
        lines += [f"  {found.part}: {found.reason}" for found in plan.left_out if found.row == row]
    return lines


def _estimate(plan: Plan, estimates: Mapping[str, Estimate], jobs: int) -> str:
    seconds = {key: estimate.seconds for key, estimate in estimates.items()}
    if all(value is None for value in seconds.values()):
        return "time: unknown, nothing like it has run; --calibrate measures one epoch of each kind first"
    total = makespan(plan, list(estimates), seconds, jobs)
    return (
        f"time: about {duration(total)} with {jobs} at a time (training alone; a run's seconds are from: "
        f"{sources(estimates.values())})"
    )


def head(run: Run) -> str:
    """Counts and the time left, in a line."""
    counts = ", ".join(f"{count} {state}" for state, count in run.counts.items())
    return f"{run.plan.name}: {counts}; left: {duration(left(run))}"


def worker_lines(run: Run) -> list[str]:
    """A line for each running cell."""
    return [
        f"{run.plan.cells[key]}: epoch {status.epoch} of {run.plan.cells[key].epochs}, {status.worker}"
        for key, status in run.status.items()
        if status.state == RUNNING
    ]


class Plain:
    """A line whenever the state of a cell changes: for logs and pipes."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[str, int]] = {}

    def __enter__(self) -> "Plain":
        return self

    def __exit__(self, *_: Any) -> None:
        pass

    def __call__(self, run: Run) -> None:
        """Print what has changed."""
        first = not self._seen
        for key, status in run.status.items():
            state = (status.state, status.attempts)
            if self._seen.get(key, state) != state or (first and status.state == RUNNING):
                again = f" (attempt {status.attempts})" if status.attempts > 1 else ""
                reason = f": {status.reason}" if status.reason else ""
                print(f"{run.plan.cells[key]}: {status.state}{again}{reason} | {head(run)}", flush=True)
            self._seen[key] = state


class Live:
    """A block at the foot of a terminal."""

    def __init__(self, console: Any = None) -> None:
        from rich.console import Console
        from rich.live import Live as RichLive

        self._live = RichLive(console=console or Console(stderr=True), auto_refresh=False)

    def __enter__(self) -> "Live":
        self._live.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._live.stop()

    def __call__(self, run: Run) -> None:
        """Draw it again."""
        from rich.text import Text

        ended = len([s for s in run.status.values() if s.seconds or s.state not in ("waiting", RUNNING)])
        width = 40
        full = width * ended // max(1, len(run.status))
        bar = f"[{'#' * full}{'.' * (width - full)}] {ended} of {len(run.status)}"
        self._live.update(Text("\n".join([bar, head(run), *worker_lines(run)])), refresh=True)


def listener(plain: bool) -> Plain | Live:
    """What shows the progress: a block on a terminal, lines elsewhere."""
    return Plain() if plain or not sys.stderr.isatty() else Live()


def closing_text(run: Run, table: TextTable) -> str:
    """Every row with the states of its seeds, then each failure with its error and its log."""
    by_row: dict[str, list[str]] = defaultdict(list)
    for key, status in run.status.items():
        by_row[run.plan.cells[key].row].append(status.state)
    rows = [
        [row, ", ".join(f"{n} {state}" for state, n in Counter(states).items())]
        for row, states in by_row.items()
    ]
    lines = [table(["row", "seeds"], rows)]
    for key in run.of(FAILED):
        log, status = run.folder.log_of(run.plan.cells[key]), run.status[key]
        lines.append(f"\nfailed: {run.plan.cells[key]}: {status.reason}; the end of {log}:")
        lines += [f"  {line}" for line in status.error.splitlines()]
    lines += [f"blocked: {run.plan.cells[key]} {run.status[key].reason}" for key in run.of(BLOCKED)]
    return "\n".join([*lines, "", head(run)])
