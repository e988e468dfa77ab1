import statistics

import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from kdbench.statistics import Budget, budget_differences, holm, paired_t, sign_flip_p, student_interval


def test_the_interval_is_students():
    values = [90.0, 91.0, 92.5, 90.2]
    mean, error = statistics.fmean(values), statistics.stdev(values) / 2
    assert student_interval(values) == pytest.approx(scipy.stats.t.interval(0.95, 3, mean, error))
    assert student_interval([90.0]) is None


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_that_of_statsmodels(p_values):
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    assert holm(p_values) == pytest.approx(multitest.multipletests(p_values, method="holm")[1].tolist())


def test_what_is_unknown_is_not_counted():
    assert holm([None, 0.04, None]) == [None, 0.04, None]
    assert holm([]) == []


@given(st.lists(st.integers(-5, 5), min_size=2, max_size=8))
def test_sign_flips_are_all_assignments(differences):
    from itertools import product

    observed = abs(sum(differences))
    flips = [
        abs(sum(s * d for s, d in zip(signs, differences, strict=True)))
        for signs in product((1, -1), repeat=len(differences))
    ]
    exact = sum(total >= observed for total in flips) / len(flips)
    assert sign_flip_p(differences) == pytest.approx(min(1.0, exact))


def test_a_single_seed_tests_nothing():
    assert sign_flip_p([3.0]) == 1.0
    assert paired_t([3.0]) is None
    assert paired_t([3.0, 3.0]) is None


def test_budgets_in_words():
    one = Budget(60, 840, "all", "all", ("skeleton",))
    other = Budget(40, 840, "subjects 1 3", None, ("rgb", "audio"))
    assert budget_differences(one, one) == []
    assert budget_differences(one, other) == [
        "epochs 60 against 40",
        "labels all against subjects 1 3",
        "inputs skeleton against rgb and audio",
    ]
    assert budget_differences(one, Budget(None, None, None, None, None)) == []
