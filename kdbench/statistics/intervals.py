"""Intervals of a mean over seeds and of a paired difference: seeds, and recordings within the test set.

The score of seed s on n recordings is modelled as ``m + a_s + b_n + e_sn``: seeds and recordings are both samples, and
every seed meets the same recordings. The variance of the mean over S seeds then has two parts that can be estimated
apart: ``between``, the variance between seeds divided by S, which holds the seeds' own error on the recordings, and
``shared``, the covariance of two seeds when recordings are drawn anew (hierarchical bootstrap). Few seeds are not
resampled: the variance of three values drawn from three is a third too small, and knows nothing of its own error.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from ..records import Predictions
from .measures import LOWER_IS_BETTER, measured, unit
from .resampling import recordings, resampled
from .seeds import sign_flip_p

METHOD = "hierarchical bootstrap"
ONE_SEED = "bootstrap of one seed's recordings"
_SMALLEST_P = 1e-12
_TOWARDS_BANERJEE = 0.4
_ROUNDING = 0.01  # of a perfect score: what half-precision scores may change


class Spread(NamedTuple):
    """What the variance of a mean over seeds is made of."""

    between: float  # of seeds, on these recordings
    shared: float  # of recordings, whatever the seed
    seeds: int
    recordings: int

    def half_width(self, level: float = 0.95) -> float:
        """Half of the interval's width, between Welch's, which is a little short, and Banerjee's, which is long.

        Welch's takes Student's t at Satterthwaite's degrees of freedom; Banerjee's takes each part's own t. With
        three seeds the one covers as little as 92.2 % and the other as much as 97.7 %, depending on how much seeds
        and recordings contribute; two fifths of the way from the one to the other it is 93.9 to 96.4 %, with more
        seeds less. All are exact where only one of the two contributes.
        """
        within = _quantile(max(self.recordings - 1, 1), level)
        if self.seeds == 1:
            return within * math.sqrt(self.shared)
        total = self.between + self.shared
        if total == 0:
            return 0.0
        own = _quantile(self.seeds - 1, level)
        freedom = total**2 / (
            self.between**2 / (self.seeds - 1) + self.shared**2 / max(self.recordings - 1, 1)
        )
        welch = _quantile(freedom, level) * math.sqrt(total)
        banerjee = math.sqrt(own**2 * self.between + within**2 * self.shared)
        return welch + _TOWARDS_BANERJEE * (banerjee - welch)

    def p(self, difference: float) -> float:
        """The two-sided p of a difference: one less the level of the interval that just reaches 0."""
        distance = abs(difference)
        if distance == 0:
            return 1.0
        if self.half_width(1 - _SMALLEST_P) <= distance:
            return _SMALLEST_P
        return float(optimize.brentq(lambda p: self.half_width(1 - p) - distance, _SMALLEST_P, 1.0))


def _quantile(freedom: float, level: float) -> float:
    """Student's t that the middle ``level`` lies within."""
    return float(special.stdtrit(freedom, (1 + level) / 2))


class Estimate(NamedTuple):
    """A metric's mean over seeds and its interval, in the metric's units."""

    metric: str
    value: float
    low: float
    high: float
    seeds: int
    clips: int
    recordings: int
    method: str


class Difference(NamedTuple):
    """The first method's metric less the second's, and what speaks against chance.

    ``p`` belongs to the interval (seeds and recordings), ``permutation_p`` to the sign-flip test over seeds on the test
    set as it is; None of one seed. ``wins`` counts the seeds on which the first is better.
    """

    metric: str
    value: float
    low: float
    high: float
    p: float
    permutation_p: float | None
    wins: int
    seeds: int
    clips: int
    recordings: int
    method: str

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of 0."""
        return self.low > 0 or self.high < 0

    @property
    def first_is_better(self) -> bool:
        """Whether the first's mean is the better one, by however little."""
        return (self.value > 0) is not (self.metric in LOWER_IS_BETTER)


def score_interval(
    metric: str,
    networks: Sequence[Predictions],
    values: Sequence[float] | None = None,
    resamples: int = 2000,
    seed: int = 0,
) -> Estimate:
    """The 95 % interval of a metric's mean over seeds, ``networks`` being one set of predictions a seed.

    ``values`` are the recorded scores, in the same order; by default they are computed from the predictions.
    Predictions that do not give them again (``reproduces``) are a ``ValueError``.
    """
    scores = _checked(metric, networks, values)
    found = spread(resampled(metric, networks, resamples, seed), scores, networks[0])
    half, mean = found.half_width(), float(scores.mean())
    return Estimate(
        metric,
        mean,
        max(mean - half, 0.0),
        min(mean + half, unit(metric) if metric != "brier" else mean + half),
        *_sizes(networks),
    )


def difference_interval(
    metric: str,
    first: Sequence[Predictions],
    second: Sequence[Predictions],
    first_values: Sequence[float] | None = None,
    second_values: Sequence[float] | None = None,
    resamples: int = 10_000,
    seed: int = 0,
) -> Difference:
    """The 95 % interval and tests of ``first`` less ``second``, lists of predictions paired by seed and by clip."""
    if len(first) != len(second):
        raise ValueError(f"pairs need the same seeds; there is: {len(first)} and {len(second)}")
    one, two = _checked(metric, first, first_values), _checked(metric, second, second_values)
    drawn = resampled(metric, [*first, *second], resamples, seed)
    gains = one - two
    found = spread(drawn[:, : len(first)] - drawn[:, len(first) :], gains, first[0])
    value, half = float(gains.mean()), found.half_width()
    return Difference(
        metric,
        value,
        value - half,
        value + half,
        found.p(value),
        sign_flip_p(gains.tolist()) if len(gains) > 1 else None,
        int((gains < 0 if metric in LOWER_IS_BETTER else gains > 0).sum()),
        *_sizes(first),
    )


def spread(drawn: NDArray[np.floating], scores: NDArray[np.floating], predictions: Predictions) -> Spread:
    """The parts of the variance of a mean over seeds, from resampled scores ``(R, S)`` and the scores ``(S,)``."""
    seeds, groups = len(scores), int(recordings(predictions).max()) + 1
    covariance = np.atleast_2d(np.cov(drawn, rowvar=False)) * groups / max(groups - 1, 1)
    if seeds == 1:
        return Spread(0.0, float(covariance[0, 0]), 1, groups)
    shared = (covariance.sum() - covariance.trace()) / (seeds * (seeds - 1))
    return Spread(float(scores.var(ddof=1)) / seeds, max(float(shared), 0.0), seeds, groups)


def reproduces(metric: str, predictions: Predictions, recorded: float) -> bool:
    """Whether predictions give a recorded score again, but for what rounding them to half precision may change.

    Earlier versions saved half precision, in which high scores of sure networks are tied.
    """
    return _is_near(metric, measured(metric, predictions), recorded)


def _is_near(metric: str, computed: float, recorded: float) -> bool:
    return abs(computed - recorded) <= _ROUNDING * unit(metric)


def _checked(
    metric: str, networks: Sequence[Predictions], values: Sequence[float] | None
) -> NDArray[np.floating]:
    found = np.array([measured(metric, network) for network in networks])
    if values is None:
        return found
    for network, computed, recorded in zip(networks, found, values, strict=True):
        if not _is_near(metric, computed, recorded):
            raise ValueError(
                f"{network.source} gives {metric} {computed:.2f}; {recorded:.2f} was recorded: its scores are too "
                "coarse, or the metric was computed otherwise; test those weights again with tools/test.py"
            )
    return np.asarray(values, dtype=float)


def _sizes(networks: Sequence[Predictions]) -> tuple[int, int, int, str]:
    """Seeds, clips, recordings, and the name of the method."""
    groups = int(recordings(networks[0]).max()) + 1
    return len(networks), len(networks[0].index), groups, METHOD if len(networks) > 1 else ONE_SEED
