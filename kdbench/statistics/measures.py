"""Metrics of saved predictions when each clip counts with a weight, for many sets of weights at once.

A metric is either a mean over clips (top-k, Brier, mAP over each clip's classes) or a ranking of all of them.
"""

import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..records import Predictions

Array = NDArray[np.floating]
RANKED = ("mAP_C", "micro_AP")
LOWER_IS_BETTER = ("brier",)
_TOP = re.compile(r"top(\d+)")
_BLOCK = 4_000_000  # numbers of one block of weights


def measurable(predictions: Predictions) -> list[str]:
    """The metrics that can be computed from these predictions."""
    return ["top1", "top5", "brier"] if predictions.target.ndim == 1 else [*RANKED, "mAP_S", "brier"]


def can_measure(metric: str, predictions: Predictions) -> bool:
    """Whether ``metric`` can be computed from these predictions; any ``top<k>`` can of clips with one label."""
    return metric in measurable(predictions) or (
        predictions.target.ndim == 1 and _TOP.fullmatch(metric) is not None
    )


def checked(metric: str, predictions: Predictions) -> str:
    """``metric``, or a ``ValueError`` that says which there are."""
    if not can_measure(metric, predictions):
        raise ValueError(
            f"the metric '{metric}' cannot be computed from saved scores; "
            f"there is: {', '.join(measurable(predictions))}"
        )
    return metric


def unit(metric: str) -> float:
    """What a perfect score is: 100 of what is in percent, 1 of ``brier``."""
    return 1.0 if metric == "brier" else 100.0


def measured(metric: str, predictions: Predictions) -> float:
    """The metric of the predictions as they are, each clip once, in the units of ``result.yml``."""
    if checked(metric, predictions) in RANKED:
        weights = np.ones((1, len(predictions.index)))
        return float(ranked_metric(metric, predictions, weights)[0])
    values, count = clip_values(metric, predictions)
    return float(values.sum() / count.sum())


def clip_values(metric: str, predictions: Predictions) -> tuple[Array, Array]:
    """What each clip adds to the sum of a metric that is a mean, and to the count below it, ``(N,)`` each."""
    score, target = predictions.score.astype(np.float64), predictions.target
    if metric == "mAP_S":
        values = np.array(
            [average_precision(s, t, np.ones((1, len(s))))[0] for s, t in zip(score, target, strict=True)]
        )
        known = np.isfinite(values)
        return 100 * np.where(known, values, 0.0), known.astype(float)
    if target.ndim == 2:
        known = target >= 0
        return (np.where(known, score - target, 0.0) ** 2).sum(1), known.sum(1).astype(float)
    known, label = target >= 0, np.maximum(target, 0)
    if metric == "brier":
        truth = np.eye(score.shape[1])[label]
        return np.where(known, ((score - truth) ** 2).sum(1), 0.0), known.astype(float)
    own = np.take_along_axis(score, label[:, None], 1)
    before = (score > own) | ((score == own) & (np.arange(score.shape[1]) < label[:, None]))
    hits = before.sum(1) < int(_TOP.fullmatch(metric)[1])  # type: ignore[index]
    return 100.0 * (hits & known), known.astype(float)


def ranked_metric(metric: str, predictions: Predictions, weight: Array) -> Array:
    """The mAP over classes or over all pairs in percent, ``(R,)``, when clips count by ``weight`` ``(R, N)``.

    Classes without a positive of positive weight are left out of the mean.
    """
    score, target = predictions.score, predictions.target
    if metric == "micro_AP":
        return 100 * average_precision(
            score.ravel(), target.ravel(), np.repeat(weight, score.shape[1], axis=1)
        )
    each = np.stack([average_precision(score[:, k], target[:, k], weight) for k in range(score.shape[1])])
    there = np.isfinite(each)
    with np.errstate(invalid="ignore"):
        mean: Array = np.where(there, each, 0.0).sum(0) / there.sum(0)
    return 100 * mean


def average_precision(score: Array, target: NDArray[np.integer], weight: Array) -> Array:
    """The area under the precision-recall curve for each row of weights, ``(R,)`` from ``(n,)``, ``(n,)``, ``(R, n)``.

    Equal scores count together, so that the order of entries does not matter (scikit-learn's definition, with
    ``sample_weight``). Negative targets are left out; NaN where no positive has weight. Costs ``O(R n)``.

    >>> average_precision(np.array([0.9, 0.1, 0.1]), np.array([0, 1, 1]), np.array([[1.0, 1.0, 1.0], [0.0, 2.0, 1.0]]))
    array([0.66666667, 1.        ])
    """
    known = np.flatnonzero(target >= 0)
    order = known[np.argsort(-score[known], kind="stable")]
    ordered, positive = score[order], np.flatnonzero(target[order] > 0)
    last = np.searchsorted(-ordered, -ordered[positive], side="right") - 1  # of those with the same score
    tied = np.searchsorted(positive, last, side="right") - 1
    out = np.full(len(weight), np.nan)
    for rows in _blocks(len(weight), len(order)):
        weights = weight[rows][:, order]
        hit = weights[:, positive]
        above, hits = weights.cumsum(1)[:, last], hit.cumsum(1)[:, tied]
        gained = hit * hits / np.where(above > 0, above, 1)
        total = hit.sum(1)
        out[rows] = np.where(total > 0, gained.sum(1) / np.where(total > 0, total, 1), np.nan)
    return out


def _blocks(rows: int, width: int) -> Iterator[slice]:
    size = max(1, _BLOCK // max(width, 1))
    return (slice(start, start + size) for start in range(0, rows, size))
