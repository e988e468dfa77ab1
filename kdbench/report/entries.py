"""The rows of the tables: runs folded over seeds, recorded rows without runs, and what each has to be read with."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from ..zoo import Measured, alike, fold, measured
from .read import Run, Tree, latest

FEWEST_SEEDS = 3


class Entry(NamedTuple):
    """A row on one data set: its folded result, the runs it comes from, and why it is unreliable, if it is."""

    measured: Measured
    runs: tuple[Run, ...]
    reasons: tuple[str, ...]


def entries(runs: Sequence[Run], metafiles: Iterable[Tree] = ()) -> list[Entry]:
    """Every row that measured something; a recorded row stands for itself where none of the runs has its name."""
    by_row: dict[str, list[Run]] = {}
    for run in runs:
        if run.counts:
            by_row.setdefault(run.result["row"], []).append(run)
    found = [entry for group in by_row.values() for entry in _of_row(group)]
    recorded = [entry for entry in measured(metafiles) if entry.name not in by_row]
    found += [Entry(entry, (), tuple(_reasons(entry))) for entry in recorded]
    return sorted(found, key=lambda entry: (entry.measured.group, entry.measured.name))


def _of_row(runs: Sequence[Run]) -> Iterator[Entry]:
    """One entry for each config and budget that the row was run with."""
    groups = alike([run.result for run in runs])
    for group in groups:
        kept = latest([run for run in runs if any(run.result is result for result in group)])
        entry = measured([{"Models": [fold([run.result for run in kept])]}])[0]
        reasons = list(_reasons(entry))
        if len(kept) < len(group):
            reasons.append("a seed was run more than once; the newest run counts")
        if len(groups) > 1:
            reasons.append(f"the row was run with {len(groups)} different configs or budgets")
        flagged = {text for run in kept for text in run.warnings if "uncommitted" not in text}
        yield Entry(entry, tuple(kept), (*reasons, *sorted(flagged)))


def _reasons(entry: Measured) -> Iterator[str]:
    seeds = len(entry.values)
    if seeds < FEWEST_SEEDS:
        yield f"{seeds} {'seed' if seeds == 1 else 'seeds'}, fewer than {FEWEST_SEEDS}"
    if not all(math.isfinite(value) for value in entry.values.values()):
        yield "a score that is no number"
    if entry.metadata["Dirty"]:
        yield "measured with uncommitted changes"


def inputs(entry: Entry) -> dict[str, Any] | None:
    """The student's input shapes by modality; ``None`` where only the folded row is known."""
    return entry.runs[0].result["student"].get("input_shapes") if entry.runs else None


def milliseconds(entry: Entry) -> float | None:
    """The median over runs of the student's latency, where it was recorded."""
    known = [(run.result.get("efficiency") or {}).get("latency_ms", {}).get("p50") for run in entry.runs]
    values = sorted(float(value) for value in known if value is not None)
    return values[len(values) // 2] if values else None
