"""Mean, spread and interval of a few seeds."""

import math
import statistics
from collections.abc import Sequence

# The 97.5 % points of Student's t by degrees of freedom, from 1; beyond, a series in 1 / freedom.
_T = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
_Z = 1.959964


def t_quantile(freedom: int) -> float:
    """The 97.5 % point of Student's t.

    >>> t_quantile(2), round(t_quantile(60), 3)
    (4.303, 2.0)
    """
    if freedom <= len(_T):
        return _T[freedom - 1]
    return _Z + (_Z**3 + _Z) / (4 * freedom) + (5 * _Z**5 + 16 * _Z**3 + 3 * _Z) / (96 * freedom**2)


def mean_and_std(values: Sequence[float]) -> tuple[float, float | None]:
    """The mean and the sample standard deviation; None of one value, or where one of them is no number."""
    if not all(math.isfinite(value) for value in values):
        return math.nan, None
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None


def interval(values: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % interval of the mean over seeds, by Student's t; None of one value.

    >>> [round(end, 2) for end in interval([1.0, 2.0, 3.0])]
    [-0.48, 4.48]
    """
    mean, std = mean_and_std(values)
    if std is None:
        return None
    half = t_quantile(len(values) - 1) * std / len(values) ** 0.5
    return mean - half, mean + half
