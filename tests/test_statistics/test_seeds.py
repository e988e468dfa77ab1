import statistics
from itertools import combinations

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


@given(st.lists(st.floats(0, 1), min_size=1, max_size=7))
def test_holm_is_the_closure_of_bonferroni(p_values):
    """A hypothesis falls when every set of hypotheses that it is in falls by Bonferroni (Marcus et al. 1976)."""
    places = range(len(p_values))
    subsets = [set(chosen) for size in places for chosen in combinations(places, size + 1)]
    bounds = {frozenset(one): min(1.0, len(one) * min(p_values[i] for i in one)) for one in subsets}
    closed = [max(bound for one, bound in bounds.items() if i in one) for i in places]
    assert holm(p_values) == pytest.approx(closed)


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
