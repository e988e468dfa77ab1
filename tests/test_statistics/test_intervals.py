"""Resampled metrics against a loop that does what they stand for, and what an interval refuses."""

import re
from dataclasses import replace

import numpy as np
import pytest

from kdbench.records import Predictions
from kdbench.statistics import difference_interval, measured, resampled, score_interval
from tests.test_statistics.simulated import draw, networks

WORLD = {"seed": 0.2, "recording": 0.8, "method": 0.5}


def several_labels(seeds=2, clips=60, classes=5):
    rng = np.random.default_rng(0)
    target = (rng.random((clips, classes)) < 0.3).astype(int)
    group = np.arange(clips) // 3
    scores = [target + rng.normal(0, 1, target.shape) for _ in range(seeds)]
    return [
        Predictions(score.astype(np.float32), target, np.arange(clips), group, f"s{i}")
        for i, score in enumerate(scores)
    ]


def looped(metric, networks, resamples, seed):
    """Recordings drawn with replacement, their clips put together, the metric computed on them as on any clips."""
    rng = np.random.default_rng(seed)
    group = networks[0].group
    out = np.empty((resamples, len(networks)))
    for row in out:
        chosen = rng.choice(np.unique(group), size=len(np.unique(group)))
        clips = np.concatenate([np.flatnonzero(group == number) for number in chosen])
        for i, one in enumerate(networks):
            row[i] = measured(metric, Predictions(one.score[clips], one.target[clips], clips))
    return out


@pytest.mark.parametrize("metric", ["mAP_C", "micro_AP", "mAP_S"])
def test_resampling_recordings_is_putting_them_together(metric):
    made = several_labels()
    fast, slow = resampled(metric, made, 1500, seed=0), looped(metric, made, 500, seed=1)
    assert fast.mean(0) == pytest.approx(slow.mean(0), rel=0.02)
    expected = np.cov(slow.T)
    assert np.cov(fast.T) == pytest.approx(expected, abs=0.2 * expected.max())


def test_resampling_outcomes_is_resampling_recordings():
    rng = np.random.default_rng(0)
    made = networks(draw(rng, 1, 3, 80, 0.5, 0.0, **WORLD)[0][0], np.repeat(np.arange(80), 2))
    fast, slow = resampled("top1", made, 4000, seed=0), looped("top1", made, 2000, seed=1)
    assert fast.mean(0) == pytest.approx(slow.mean(0), rel=0.01)
    expected = np.cov(slow.T)
    assert np.cov(fast.T) == pytest.approx(expected, abs=0.15 * expected.max())


def test_clips_of_one_recording_widen_the_interval():
    """Ten copies of each clip are worth one clip."""
    rng = np.random.default_rng(3)
    hits = draw(rng, 1, 3, 50, 0.5, 0.0, seed=0.0, recording=2.0, method=0.0)[0][0]
    plain = score_interval("top1", networks(hits))
    copies = np.repeat(hits, 10, axis=1)
    kept_together = score_interval("top1", networks(copies, np.repeat(np.arange(100), 10)))
    apart = score_interval("top1", networks(copies))
    assert kept_together.high - kept_together.low == pytest.approx(plain.high - plain.low, rel=0.05)
    assert apart.high - apart.low < 0.9 * (plain.high - plain.low)
    assert (kept_together.clips, kept_together.recordings, apart.recordings) == (1000, 100, 1000)


def test_a_paired_difference_is_sharper_than_two_intervals():
    rng = np.random.default_rng(4)
    better, worse = draw(rng, 2, 5, 200, 0.5, 0.3, seed=0.02, recording=3.0, method=0.0)[0]
    pair = difference_interval("top1", networks(better), networks(worse))
    one, other = (score_interval("top1", networks(hits)) for hits in (better, worse))
    assert pair.value == pytest.approx(one.value - other.value)
    assert pair.excludes_zero
    assert pair.p < 0.05
    assert other.high > one.low  # intervals of the scores overlap all the same
    assert (pair.wins, pair.permutation_p) == (5, 0.0625)
    back = difference_interval("top1", networks(worse), networks(better))
    assert (back.low, back.high) == pytest.approx((-pair.high, -pair.low), rel=0.05)


def test_equal_methods_differ_by_nothing():
    hits = draw(np.random.default_rng(5), 1, 3, 40, 0.5, 0.0, **WORLD)[0][0]
    pair = difference_interval("top1", networks(hits), networks(hits))
    assert (pair.value, pair.low, pair.high, pair.p) == (0.0, 0.0, 0.0, 1.0)
    assert not pair.excludes_zero


def test_one_seed_says_so():
    hits = draw(np.random.default_rng(6), 2, 1, 40, 0.5, 0.0, **WORLD)[0]
    pair = difference_interval("top1", networks(hits[0]), networks(hits[1]))
    assert pair.method == "bootstrap of one seed's recordings"
    assert pair.permutation_p is None
    assert pair.low < pair.value < pair.high


def test_an_interval_stays_within_the_scale():
    hits = np.ones((3, 40), dtype=bool)
    hits[:, 0] = hits[0, :3] = False
    found = score_interval("top1", networks(hits))
    assert found.high == 100.0


def test_the_same_seed_gives_the_same_interval():
    made = several_labels()
    assert score_interval("mAP_C", made, resamples=200) == score_interval("mAP_C", made, resamples=200)


def test_other_clips_are_refused():
    one, other = several_labels(), several_labels(clips=57)
    message = "s0 and s0 are not of the same clips: their column 'index' differs"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        difference_interval("mAP_C", one, other)
    with pytest.raises(ValueError, match="their column 'group' differs"):
        resampled("mAP_C", [one[0], replace(one[1], group=None)], 10)


def test_predictions_of_another_run_are_refused():
    made = networks(draw(np.random.default_rng(7), 1, 2, 40, 0.5, 0.0, **WORLD)[0][0])
    right = [measured("top1", one) for one in made]
    assert score_interval("top1", made, right).value == pytest.approx(np.mean(right))
    with pytest.raises(ValueError, match=r"^seed1 gives top1 .*was recorded: its scores are too coarse"):
        score_interval("top1", made, [right[0], right[1] + 3])


def test_other_seeds_are_no_pairs():
    made = several_labels(3)
    with pytest.raises(ValueError, match=r"^pairs need the same seeds; there is: 3 and 2$"):
        difference_interval("mAP_C", made, made[:2])
