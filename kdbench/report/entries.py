"""The rows of the tables: runs folded over seeds, recorded rows without runs, and what each has to be read with."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from ..records import tested_on
from ..spec import InvalidDataError
from ..zoo import Measured, alike, fold, measured
from .read import Run, Tree, latest


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
    recorded = {entry.name: entry for entry in measured(metafiles)}
    found = [
        _with_interval(entry, recorded.get(name))
        for name, group in by_row.items()
        for entry in _of_row(group)
    ]
    absent = [entry for name, entry in recorded.items() if name not in by_row]
    found += [Entry(entry, (), tuple(_reasons(entry))) for entry in absent]
    return sorted(found, key=lambda entry: (entry.measured.group, entry.measured.name))


def _of_row(runs: Sequence[Run]) -> Iterator[Entry]:
    """One entry for each config, budget and test split that the row was run with."""
    groups = [same for group in alike([run.result for run in runs]) for same in _by_test_split(group)]
    for group in groups:
        kept = latest([run for run in runs if any(run.result is result for result in group)])
        entry = measured([{"Models": [_folded(kept)]}])[0]
        reasons = list(_reasons(entry))
        if len(kept) < len(group):
            reasons.append("a seed was run more than once; the newest run counts")
        if len(groups) > 1:
            reasons.append(f"the row was run with {len(groups)} different configs, budgets or test splits")
        flagged = {text for run in kept for text in run.warnings if "uncommitted" not in text}
        yield Entry(entry, tuple(kept), (*reasons, *sorted(flagged)))


def _with_interval(entry: Entry, recorded: Measured | None) -> Entry:
    """The entry with the interval that was recorded of these very scores, over seeds and recordings."""
    if recorded and recorded.values == entry.measured.values and "Interval" in recorded.result:
        result = {**entry.measured.result, "Interval": recorded.result["Interval"]}
        return entry._replace(measured=entry.measured._replace(result=result))
    return entry


def _by_test_split(results: Sequence[Tree]) -> list[list[Tree]]:
    """The results in groups whose records name the same labels of the test split."""
    groups: dict[str | None, list[Tree]] = {}
    for result in results:
        groups.setdefault(tested_on(result, None), []).append(result)
    return list(groups.values())


def _folded(runs: Sequence[Run]) -> Tree:
    """The runs as one entry; where damaged predictions were to say what was tested on, that is not known."""
    try:
        return fold([run.result for run in runs])
    except InvalidDataError:
        return fold([{**run.result, "predictions": None} for run in runs])


def _reasons(entry: Measured) -> Iterator[str]:
    yield from entry.doubts
    if not all(math.isfinite(value) for value in entry.values.values()):
        yield "a score that is no number"
