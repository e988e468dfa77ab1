"""Weighted metrics against scikit-learn and against our own metrics of whole sets."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from kdbench.evaluation import brier_score, mean_average_precision, topk_accuracy
from kdbench.records import Predictions
from kdbench.statistics import average_precision, measured


@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.integers(-1, 1), st.integers(0, 3), st.integers(0, 3)),
        min_size=1,
        max_size=30,
    )
)
def test_weighted_average_precision_is_scikit_learns(entries):
    score, target, *weights = (np.array(column) for column in zip(*entries, strict=True))
    found = average_precision(score.astype(float), target, np.stack(weights).astype(np.float32))
    known = target >= 0
    for value, weight in zip(found, weights, strict=True):
        if (weight * (target > 0)).sum() == 0:
            assert np.isnan(value)
            continue
        oracle = average_precision_score(target[known], score[known], sample_weight=weight[known])
        assert value == pytest.approx(oracle, abs=1e-6)


def test_a_weight_of_two_is_a_clip_twice():
    rng = np.random.default_rng(0)
    score, target, weight = rng.random(40), rng.integers(0, 2, 40), rng.integers(0, 4, 40)
    twice = np.repeat(np.arange(40), weight)
    one = average_precision(score, target, weight[None].astype(float))
    other = average_precision(score[twice], target[twice], np.ones((1, len(twice))))
    assert one == pytest.approx(other)


@pytest.fixture
def several():
    rng = np.random.default_rng(1)
    score, target = rng.random((50, 6)).round(1), rng.integers(-1, 2, (50, 6))
    return Predictions(score, target, np.arange(50))


@pytest.fixture
def single():
    rng = np.random.default_rng(2)
    score = rng.dirichlet(np.ones(7), 60).round(2)
    return Predictions(score, rng.integers(0, 7, 60), np.arange(60))


@pytest.mark.parametrize(
    ("metric", "over"), [("mAP_C", "classes"), ("mAP_S", "clips"), ("micro_AP", "pairs")]
)
def test_map_is_that_of_the_evaluation(several, metric, over):
    pair = torch.tensor(several.score), torch.tensor(several.target)
    assert measured(metric, several) == pytest.approx(100 * mean_average_precision(*pair, over).item())


@pytest.mark.parametrize("k", [1, 3, 5])
def test_accuracy_is_that_of_the_evaluation(single, k):
    target = single.target.copy()
    target[:9] = -100
    pair = torch.tensor(single.score), torch.tensor(target)
    assert measured(f"top{k}", replace(single, target=target)) == pytest.approx(
        100 * topk_accuracy(*pair, k).item()
    )


def test_brier_is_that_of_the_evaluation(single, several):
    pair = torch.tensor(single.score), torch.tensor(single.target)
    assert measured("brier", single) == pytest.approx(brier_score(*pair).item())
    known = several.target >= 0
    assert measured("brier", several) == pytest.approx(
        np.square(several.score - several.target)[known].mean()
    )


def test_a_metric_that_needs_more_than_scores(single):
    message = r"^the metric 'ECE' cannot be computed from saved scores; there is: top1, top5, brier$"
    with pytest.raises(ValueError, match=message):
        measured("ECE", single)
