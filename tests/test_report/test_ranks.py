import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kdbench.report import payload, read_runs
from kdbench.report.ranks import LEVEL, alike, ranks, shared
from tests.report_runs import write_run


def scores(table):
    return {(f"m{i}", f"b{j:02d}"): float(value) for (i, j), value in np.ndenumerate(table)}


def test_a_method_with_a_student_of_its_own_is_ranked_with_its_lone_student(tmp_path):
    for data in "abcde":
        for seed in range(3):
            parts = {"data": data, "student": f"net_{data}"}
            same = {"data__name": data, "metrics__top1": 80.0 + seed}
            write_run(tmp_path, f"baseline/{data}", seed, config__parts=parts, **same)
            parts |= {"teacher": "large", "distiller": "kd"}
            write_run(tmp_path, f"kd/{data}", seed, config__parts=parts, **same)
            parts |= {"student": f"net_{data}h"}
            lone = {"config__parts": parts, "config__lone_student": f"net_{data}"}
            write_run(tmp_path, f"vicokd/{data}", seed, **same, **lone)
    found = payload(read_runs([tmp_path]))["ranks"]
    assert sorted(found["methods"]) == ["kd", "student alone", "vicokd +h"]
    assert len(found["blocks"]) == 5


def test_ranks_and_tests_are_scipy_s():
    table = np.random.default_rng(0).normal(size=(3, 12)) + np.array([[0.0], [3.0], [0.3]])
    found = ranks(scores(table))
    expected = scipy.stats.rankdata(-table, axis=0).mean(1)
    order = np.argsort(expected)
    assert found["methods"] == [f"m{i}" for i in order]
    assert found["ranks"] == pytest.approx(expected[order], abs=1e-3)
    assert found["friedman"] == pytest.approx(scipy.stats.friedmanchisquare(*table).pvalue)
    raw = {
        (i, j): scipy.stats.wilcoxon(table[i], table[j], zero_method="zsplit").pvalue
        for i, j in [(0, 1), (0, 2), (1, 2)]
    }
    holm, highest = {}, 0.0
    for place, pair in enumerate(sorted(raw, key=raw.get)):
        highest = max(highest, min(1.0, raw[pair] * (3 - place)))
        holm[pair] = highest
    for a, row in zip(order, found["pairwise"], strict=True):
        for b, value in zip(order, row, strict=True):
            assert value == pytest.approx(1.0 if a == b else holm[min(a, b), max(a, b)], abs=1e-3)
    assert found["groups"] == [[1, 2]]


def test_fewer_than_five_blocks_give_a_sentence():
    found = ranks(scores(np.ones((3, 4))))
    assert found == {
        "message": "Too few blocks for a critical-difference diagram: 3 methods share 4 settings; 5 are needed."
    }
    assert ranks({})["message"].startswith("Too few blocks")


def test_methods_with_few_blocks_are_left_out_rather_than_blocks():
    table = scores(np.random.default_rng(1).normal(size=(3, 6)))
    table["rare", "b00"] = 1.0
    assert shared(table) == (["m0", "m1", "m2"], [f"b{j:02d}" for j in range(6)])


def test_methods_without_any_difference_are_alike():
    found = ranks(scores(np.ones((3, 6))))
    assert found["pairwise"] == np.ones((3, 3)).tolist()
    assert found["groups"] == [[0, 2]]


@given(arrays(float, (6, 6), elements=st.floats(0, 0.2)))
def test_groups_are_the_longest_runs_without_a_difference(values):
    pairwise = np.minimum(values, values.T)
    np.fill_diagonal(pairwise, 1.0)
    runs = [
        (a, b) for a in range(6) for b in range(a + 1, 6) if (pairwise[a : b + 1, a : b + 1] >= LEVEL).all()
    ]
    longest = [r for r in runs if not any(o != r and o[0] <= r[0] and r[1] <= o[1] for o in runs)]
    assert [tuple(group) for group in alike(pairwise)] == longest
