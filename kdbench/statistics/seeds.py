"""Statistics of a few seeds: mean, spread, Student's intervals, a sign-flip test, Holm's correction."""

import math
import statistics
from collections.abc import Sequence

import numpy as np
from scipy import stats

_EXACT = 10_000  # sign flips up to this number are all taken; more seeds draw as many at random


def mean_and_std(values: Sequence[float]) -> tuple[float, float | None]:
    """The mean and the sample standard deviation; None of one value, or where one of them is no number."""
    if not all(math.isfinite(value) for value in values):
        return math.nan, None
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None


def student_interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float] | None:
    """The interval of the mean over seeds, by Student's t, for the clips as they are; None of one value.

    >>> [round(end, 2) for end in student_interval([1.0, 2.0, 3.0])]
    [-0.48, 4.48]
    """
    mean, std = mean_and_std(values)
    if std is None:
        return None
    half = float(stats.t.ppf((1 + level) / 2, len(values) - 1)) * std / len(values) ** 0.5
    return mean - half, mean + half


def paired_t(differences: Sequence[float]) -> float | None:
    """The two-sided p of Student's t that the mean of seeds' differences is 0; None of one, or if all are equal.

    >>> round(paired_t([1.0, 2.0, 3.0]), 4)
    0.0742
    """
    if len(differences) < 2 or len(set(differences)) == 1:
        return None
    return float(stats.ttest_1samp(differences, 0.0).pvalue)


def sign_flip_p(differences: Sequence[float]) -> float:
    """The two-sided p of the permutation test that swaps the two methods within a seed.

    All ``2**n`` assignments are taken up to 13 seeds. The smallest p of n seeds is ``2 / 2**n``, so that three seeds
    cannot give less than 0.25 and five not less than 0.0625.

    >>> sign_flip_p([1.0, 2.0, 3.0])
    0.25
    """
    values = np.asarray(differences, dtype=float)
    if len(values) < 2:
        return 1.0
    found = stats.permutation_test(
        (values, np.zeros_like(values)),
        lambda one, other, axis: (one - other).mean(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=_EXACT,
        rng=np.random.default_rng(0),
    )
    return float(found.pvalue)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """P values corrected for their number by Holm's step-down rule; what is None stays None and does not count.

    >>> holm([0.01, None, 0.04, 0.03])
    [0.03, None, 0.06, 0.06]
    """
    known = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for done, (p, place) in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - done) * p))
        corrected[place] = largest
    return corrected
