"""Rows compared from their work directories: who is better on what, by how much, and what speaks against chance."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..records import RESULT_FILE, Predictions, read_record
from ..statistics import Difference, budget_differences, can_measure, difference_interval, holm, measurable
from .fold import Tree, fold, read_results
from .gains import p_text
from .intervals import predictions_by_seed
from .measured import Measured, measured

_SAME = {"Dataset": "data set", "Protocol": "protocol", "Task": "task"}


class Row(NamedTuple):
    """One row's seeds: their records, the entry that they fold into, and their predictions."""

    label: str
    results: list[Tree]
    entry: Measured
    predictions: dict[int, Predictions]

    def scores(self, metric: str) -> dict[int, float]:
        """The recorded metric by seed."""
        return {result["seed"]: result["metrics"][metric] for result in self.results}


class Comparison(NamedTuple):
    """A row beside the one that it is compared with; ``corrected_p`` is Holm's, None where budgets differ.

    ``budget`` lists how the budgets differ.
    """

    row: str
    against: str
    score: float
    against_score: float
    difference: Difference
    seeds: tuple[int, ...]
    budget: tuple[str, ...]
    corrected_p: float | None

    @property
    def as_dict(self) -> dict[str, Any]:
        """Plain values, for tables and files."""
        found = self.difference._asdict()
        found["difference"] = found.pop("value")
        return {
            **{
                "row": self.row,
                "against": self.against,
                "score": self.score,
                "against_score": self.against_score,
            },
            **found,
            "corrected_p": self.corrected_p,
            "seed_numbers": " ".join(map(str, self.seeds)),
            "budget": "; ".join(self.budget),
        }


def read_row(folder: str | Path) -> Row:
    """A row's work directory, or that of one seed. Without predictions beside each record it is a ``ValueError``."""
    folder = Path(folder)
    single = (folder / RESULT_FILE).is_file()
    results = [read_record(folder / RESULT_FILE)] if single else read_results(folder)
    entry = measured([{"Models": [fold(results, allow_smoke=True)]}])[0]
    predictions = predictions_by_seed(results)
    if not predictions:
        raise ValueError(
            f"{folder} has a record without its predictions; test those weights again with tools/test.py"
        )
    return Row(entry.name, results, entry, predictions)


def told_apart(rows: Sequence[Row], folders: Sequence[str | Path]) -> list[Row]:
    """The rows, each with a label of its own: its folder where two have the same name."""
    names = [row.label for row in rows]
    return [
        row._replace(label=str(folder)) if names.count(row.label) > 1 else row
        for row, folder in zip(rows, folders, strict=True)
    ]


def compare(
    rows: Sequence[Row],
    baseline: Row,
    metric: str | None = None,
    across_budgets: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> list[Comparison]:
    """Every row against ``baseline``, on the seeds and clips that both have; what cannot be is a ``ValueError``.

    P values are corrected for the number of rows (Holm). Rows with another budget take no part in that, unless
    ``across_budgets``. ``tell`` hears which row is at work.
    """
    metric = metric or baseline.entry.result["Primary"]
    refuse([*rows, baseline], metric)
    found = []
    for number, row in enumerate(rows, start=1):
        tell(f"{number} of {len(rows)}: {row.label}")
        found.append(_against(row, baseline, metric))
    counted = [one.difference.p if across_budgets or not one.budget else None for one in found]
    return [one._replace(corrected_p=p) for one, p in zip(found, holm(counted), strict=True)]


def refuse(rows: Sequence[Row], metric: str) -> None:
    """Say, in one ``ValueError``, all that keeps rows from being compared with the last of them."""
    *others, baseline = rows
    problems = [
        f"{what} of {row.label} is '{row.entry.result[key]}'; of {baseline.label} '{baseline.entry.result[key]}'"
        for row in others
        for key, what in _SAME.items()
        if row.entry.result[key] != baseline.entry.result[key]
    ]
    for row in rows:
        one = next(iter(row.predictions.values()))
        if not can_measure(metric, one) or any(metric not in result["metrics"] for result in row.results):
            there = ", ".join(name for name in measurable(one) if name in row.results[0]["metrics"])
            problems.append(f"{row.label} has no '{metric}' that saved scores give; there is: {there}")
    problems += [
        f"{row.label} has seeds {_numbers(row)}; {baseline.label} has {_numbers(baseline)}: none is in both"
        for row in others
        if not set(row.predictions) & set(baseline.predictions)
    ]
    if problems:
        raise ValueError("these rows cannot be compared:\n" + "\n".join(f"  - {one}" for one in problems))


def _numbers(row: Row) -> str:
    return ", ".join(map(str, row.predictions))


def _against(row: Row, baseline: Row, metric: str) -> Comparison:
    seeds = [seed for seed in row.predictions if seed in baseline.predictions]
    ours, theirs = ([one.scores(metric)[seed] for seed in seeds] for one in (row, baseline))
    difference = difference_interval(
        metric,
        [row.predictions[seed] for seed in seeds],
        [baseline.predictions[seed] for seed in seeds],
        ours,
        theirs,
    )
    return Comparison(
        row.label,
        baseline.label,
        sum(ours) / len(seeds),
        sum(theirs) / len(seeds),
        difference,
        tuple(seeds),
        tuple(budget_differences(row.entry.budget, baseline.entry.budget)),
        None,
    )


def in_words(one: Comparison, doubts: Mapping[str, Sequence[str]], across_budgets: bool = False) -> str:
    """A paragraph for a reader; ``doubts`` are reasons not to rely on a row, by its label."""
    found = one.difference
    unit = "" if found.metric == "brier" else " points"
    lines = [
        _verdict(one, across_budgets),
        f"  {one.score:.2f} against {one.against_score:.2f}: {found.value:+.2f}{unit}, 95 % interval "
        f"{found.low:+.2f} to {found.high:+.2f}, p {p_text(found.p)}",
        f"  {found.method}: {_count(found.seeds, 'seed')} ({', '.join(map(str, one.seeds))}), "
        f"{_count(found.clips, 'clip')} of {_count(found.recordings, 'recording')}",
        _permutation(found),
        f"  budgets differ: {'; '.join(one.budget)}" if one.budget else "  budgets are the same",
    ]
    lines += [f"  not to be relied on: {name}: {', '.join(why)}" for name, why in doubts.items() if why]
    return "\n".join(lines)


def _verdict(one: Comparison, across_budgets: bool) -> str:
    found = one.difference
    if one.budget and not across_budgets:
        return f"{one.row} and {one.against} had different budgets and are not ranked; --across-budgets ranks them."
    if not found.excludes_zero:
        return f"No difference between {one.row} and {one.against} is shown on {found.metric}."
    better, worse = (one.row, one.against) if found.first_is_better else (one.against, one.row)
    return f"{better} is better than {worse} on {found.metric}."


def _permutation(found: Difference) -> str:
    if found.permutation_p is None:
        return "  one seed: how much another seed would change is not known"
    return (
        f"  better on {found.wins} of {found.seeds} seeds; swapped within seeds: p {p_text(found.permutation_p)} "
        f"(not less than {p_text(2 ** (1 - found.seeds))} with {found.seeds} seeds)"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
