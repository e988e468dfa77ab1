import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
import scipy.stats

from kdbench import compat
from kdbench.spec import MissingPackageError
from kdbench.statistics import critical_difference_diagram, ranking


def blocks(count, methods=("kd", "crd", "fitnet"), gain=2.0):
    rng = np.random.default_rng(0)
    return {
        f"block {i}": {name: 80 + gain * k + rng.normal() for k, name in enumerate(methods)}
        for i in range(count)
    }


def test_too_few_blocks_are_said_in_words(tmp_path):
    found = ranking(blocks(4))
    assert found.in_words == "too few blocks for a critical-difference diagram: 4 of 5"
    assert list(found.mean_ranks) == ["fitnet", "crd", "kd"]
    assert (found.p, found.pairs) == (None, None)
    with pytest.raises(ValueError, match="too few blocks"):
        critical_difference_diagram(found, tmp_path / "cd.svg")
    assert not list(tmp_path.iterdir())


def test_friedman_and_wilcoxon_holm():
    pytest.importorskip("scikit_posthocs")
    scores = blocks(12)
    found = ranking(scores)
    columns = {name: [block[name] for block in scores.values()] for name in ("kd", "crd", "fitnet")}
    assert found.p == pytest.approx(scipy.stats.friedmanchisquare(*columns.values()).pvalue)
    pairs = [("kd", "crd"), ("kd", "fitnet"), ("crd", "fitnet")]
    raw = [scipy.stats.wilcoxon(columns[a], columns[b]).pvalue for a, b in pairs]
    worst = max(raw)
    assert found.pairs[pairs[int(np.argmin(raw))]] == pytest.approx(3 * min(raw))
    assert all(found.pairs[pair] >= p for pair, p in zip(pairs, raw, strict=True))
    assert max(found.pairs.values()) >= worst
    assert "Wilcoxon-Holm tells apart: " in found.in_words


def test_equal_methods_are_not_told_apart():
    pytest.importorskip("scikit_posthocs")
    found = ranking({f"b{i}": {"a": float(i), "b": float(i), "c": i + 1.0} for i in range(8)})
    assert found.pairs["a", "b"] == 1.0
    assert found.mean_ranks == {"c": 1.0, "a": 2.5, "b": 2.5}


def test_two_methods_have_no_friedman_test():
    pytest.importorskip("scikit_posthocs")
    found = ranking(blocks(6, ("kd", "crd")))
    assert found.p is None
    assert found.in_words.startswith("Wilcoxon-Holm")


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_a_diagram_is_drawn_the_same_each_time(tmp_path, suffix):
    pytest.importorskip("scikit_posthocs")
    found = ranking(blocks(8, ("kd", "crd", "fitnet", "a <method> & more")))
    paths = [tmp_path / f"{name}.{suffix}" for name in "ab"]
    for path in paths:
        critical_difference_diagram(found, path)
    first, second = (path.read_bytes() for path in paths)
    assert first == second
    if suffix == "svg":
        text = "".join(ElementTree.fromstring(first).itertext())
        assert all(name in text for name in found.mean_ranks)


def test_methods_that_not_every_block_has():
    scores = blocks(6)
    del scores["block 0"]["kd"], scores["block 1"]["crd"]
    with pytest.raises(ValueError, match=r"^ranks need two methods in every block; there is: fitnet$"):
        ranking(scores)
    with pytest.raises(ValueError, match="there is: none"):
        ranking({})


def test_the_package_is_optional(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "scikit_posthocs", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'kdbench\[report\]'"):
        compat.load_posthocs()
