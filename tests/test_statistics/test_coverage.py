"""Intervals cover as often as they say, and chance is not taken for an effect."""

import numpy as np
import pytest
from scipy.stats import norm

from kdbench.statistics import difference_interval, score_interval, sign_flip_p
from kdbench.statistics.intervals import Spread
from tests.test_statistics.simulated import draw, networks

GROUP = np.repeat(np.arange(100), 2)
DRAWS = 1000
# Seeds differ much, little, or not at all; recordings matter much, little; methods fail on the same or on others.
WORLDS = {
    "seeds and recordings": {"seed": 0.12, "recording": 0.8, "method": 0.4},
    "seeds above all": {"seed": 0.25, "recording": 0.3, "method": 0.1},
    "recordings above all": {"seed": 0.0, "recording": 1.2, "method": 0.8},
}


def simulated(seeds: int, world: str, gain: float):
    """A thousand pairs of methods: their predictions, and the first one's true score and gain."""
    rng = np.random.default_rng(seeds)
    for _ in range(DRAWS):
        hits, score, difference = draw(rng, 2, seeds, len(GROUP) // 2, 0.8, gain, **WORLDS[world])
        yield *(networks(one, GROUP) for one in hits), score, difference


@pytest.mark.slow
@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_95_percent_intervals_cover_95_percent(seeds, world):
    """Binomial error of 1,000 draws is 0.7 points; the bound is the two points that the intervals promise."""
    covered = []
    for i, (first, second, score, difference) in enumerate(simulated(seeds, world, gain=0.3)):
        own = score_interval("top1", first, resamples=200, seed=i)
        pair = difference_interval("top1", first, second, resamples=200, seed=i)
        covered.append((own.low <= score <= own.high, pair.low <= difference <= pair.high))
    rates = np.mean(covered, axis=0)
    assert (rates >= 0.93).all(), rates
    assert (rates <= 0.97).all(), rates


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_no_difference_is_found_in_5_percent(seeds):
    pairs = enumerate(simulated(seeds, "seeds and recordings", gain=0.0))
    found = [difference_interval("top1", one, two, resamples=200, seed=i) for i, (one, two, *_) in pairs]
    assert 0.03 <= np.mean([pair.excludes_zero for pair in found]) <= 0.07
    assert [pair.excludes_zero for pair in found] == [pair.p < 0.05 for pair in found]


@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
@pytest.mark.parametrize("share", [0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0])
def test_the_width_is_right_whatever_seeds_and_recordings_contribute(seeds, share):
    """Exact, without predictions: the part of seeds is chi-squared, that of recordings is known."""
    rng = np.random.default_rng(1)
    between = share * rng.chisquare(seeds - 1, 4000) / (seeds - 1)
    widths = np.array([Spread(part, 1 - share, seeds, 10_000).half_width() for part in between])
    rate = np.mean(2 * norm.cdf(widths) - 1)
    bounds = (0.92, 0.98) if seeds == 2 else (0.935, 0.965)
    assert bounds[0] <= rate <= bounds[1]


def test_resampling_three_seeds_would_not_cover():
    """Why seeds are not resampled: the percentile bootstrap over three of them covers three times in four."""
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((2000, 3))
    picked = scores[:, rng.integers(0, 3, (500, 3))].mean(2)
    low, high = np.quantile(picked, [0.025, 0.975], axis=1)
    assert ((low <= 0) & (high >= 0)).mean() < 0.8


def test_sign_flips_reject_no_more_than_they_say():
    rng = np.random.default_rng(0)
    found = np.array([sign_flip_p(rng.standard_normal(7)) for _ in range(1000)])
    assert 0.03 <= (found <= 0.05).mean() <= 0.07
    assert min(sign_flip_p(rng.standard_normal(3)) for _ in range(20)) == 0.25
