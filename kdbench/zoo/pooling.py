"""One method against another over several pairs of rows: the same question asked of several networks."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..statistics import budget_differences, paired_t, student_interval
from .comparison import Row, refuse
from .gains import seed_differences
from .measured import Measured


class Pair(NamedTuple):
    """Two rows of the same data and their differences by seed; ``budget`` lists how their budgets differ."""

    row: str
    against: str
    differences: Mapping[int, float]
    budget: tuple[str, ...]


class Pooled(NamedTuple):
    """The mean of all differences; its 95 % interval and ``p`` are Student's, over pairs and seeds alike.

    ``low``, ``high`` and ``p`` are None of a single difference.
    """

    metric: str
    pairs: tuple[Pair, ...]
    mean: float
    low: float | None
    high: float | None
    p: float | None


def pooled(rows: Sequence[Row], against: Sequence[Row], metric: str | None = None) -> Pooled:
    """Each row beside the one in its place in ``against``, on their common seeds, and the mean over all.

    A pair that cannot be compared is a ``ValueError``, as are lists of different lengths.
    """
    if len(rows) != len(against):
        raise ValueError(
            f"{len(rows)} rows stand against {len(against)}; there is: a row against each, in order"
        )
    metric = metric or rows[0].entry.result["Primary"]
    return _mean(metric, tuple(_pair(row, other, metric) for row, other in zip(rows, against, strict=True)))


def pooled_entries(pairs: Sequence[tuple[Measured, Measured]]) -> Pooled | None:
    """The same of entries of metafiles and their primary metric; None where no pair has a seed in common."""
    found = tuple(pair for entry, other in pairs if (pair := _of_entries(entry, other)).differences)
    return _mean(pairs[0][0].result["Primary"], found) if found else None


def _mean(metric: str, pairs: tuple[Pair, ...]) -> Pooled:
    differences = [value for pair in pairs for value in pair.differences.values()]
    low, high = student_interval(differences) or (None, None)
    return Pooled(metric, pairs, sum(differences) / len(differences), low, high, paired_t(differences))


def _of_entries(entry: Measured, other: Measured) -> Pair:
    differences = seed_differences(entry.values, other.values)
    return Pair(entry.name, other.name, differences, tuple(budget_differences(entry.budget, other.budget)))


def _pair(row: Row, other: Row, metric: str) -> Pair:
    refuse([row, other], metric)
    differences = seed_differences(row.scores(metric), other.scores(metric))
    budget = budget_differences(row.entry.budget, other.entry.budget)
    return Pair(row.label, other.label, differences, tuple(budget))
