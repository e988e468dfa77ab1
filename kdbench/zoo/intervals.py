"""What metafiles keep of saved predictions: intervals, and paired differences to other rows."""

from collections.abc import Sequence
from typing import Any

from ..records import Predictions, predictions_of
from ..statistics import Estimate, can_measure, difference_interval, reproduces, score_interval
from .fold import Tree

_PAIRED_RESAMPLES = 10_000


def predictions_by_seed(results: Sequence[Tree]) -> dict[int, Predictions]:
    """The predictions of each seed; empty if not all of them are there."""
    found = {result["seed"]: predictions_of(result) for result in results}
    return {seed: one for seed, one in found.items() if one is not None} if None not in found.values() else {}


def interval_of(results: Sequence[Tree]) -> Tree | None:
    """The interval of the primary metric; None where predictions are missing or do not give that metric again."""
    found, metric = predictions_by_seed(results), results[0]["primary"]
    values = [result["metrics"][metric] for result in results]
    if not found or not all(_gives(metric, found[result["seed"]], result) for result in results):
        return None
    return _entry(score_interval(metric, list(found.values()), values))


def _gives(metric: str, predictions: Predictions, result: Tree) -> bool:
    return can_measure(metric, predictions) and reproduces(metric, predictions, result["metrics"][metric])


def _entry(found: Estimate) -> Tree:
    return {
        "Metric": found.metric,
        "Interval": [round(found.low, 4), round(found.high, 4)],
        "Method": found.method,
        "Clips": found.clips,
        "Recordings": found.recordings,
    }


def paired_with(results: Sequence[Tree], others: Sequence[Tree]) -> Tree | None:
    """The difference to another row on the seeds that both have; None where there are none, or as in ``interval_of``.

    Rows that were tested on other clips are a ``ValueError``.
    """
    metric = results[0]["primary"]
    ours, theirs = predictions_by_seed(results), predictions_by_seed(others)
    seeds = [seed for seed in ours if seed in theirs]
    pairs = [(ours, results), (theirs, others)]
    usable = all(_gives(metric, found[one["seed"]], one) for found, group in pairs for one in group if found)
    if not seeds or not usable:
        return None
    scores = [{r["seed"]: r["metrics"][metric] for r in group} for group in (results, others)]
    found = difference_interval(
        metric,
        [ours[seed] for seed in seeds],
        [theirs[seed] for seed in seeds],
        [scores[0][seed] for seed in seeds],
        [scores[1][seed] for seed in seeds],
        resamples=_PAIRED_RESAMPLES,
    )
    return {
        "Against": others[0]["row"],
        "Students": {result["seed"]: str(result["student"]["sha256"])[:8] for result in others},
        "Metric": metric,
        "Difference": round(found.value, 4),
        "Interval": [round(found.low, 4), round(found.high, 4)],
        "P": _figures(found.p),
        "Permutation P": _figures(found.permutation_p),
        "Seeds": found.seeds,
        "Clips": found.clips,
        "Recordings": found.recordings,
        "Method": found.method,
    }


def _figures(p: Any) -> float | None:
    return None if p is None else float(f"{p:.3g}")
