"""The cache of a run is found among others, and what differs from it is named."""

import numpy as np
import pytest

from kdbench.cache import Layout, find_cache, manifests
from kdbench.cache.live import _clips_hash, varies
from kdbench.cache.store import JOURNAL, MANIFEST, Blocks, new_manifest, read_manifest, write_manifest
from kdbench.datasets.base import ClipDataset
from kdbench.spec import IncompatibleError, InvalidDataError

FACTS = {
    "teacher": {"weights": "a" * 64},
    "draws": {"epochs": 4, "of_epochs": None},
    "code": {"kdbench.taps": "1", "kdbench.models.role": "2"},
}
BUILD = "python tools/cache_teacher.py build ROW --cache DIR"


def finish(folder):
    """Have the journal say that the only block is there."""
    blocks = Blocks(folder, read_manifest(folder))
    (folder / JOURNAL).write_bytes(blocks.line(0, "0" * 32))
    return folder


def put(folder, name, dtype="float16", top_k=None, taps=("logits",), **facts):
    """A cache's manifest, with facts of its own in place of some."""
    layout = Layout({"logits": (9,)}, dtype, top_k)
    records = {"taps": list(taps), "dtype": dtype, "top_k": top_k}
    made = new_manifest({**FACTS, **facts, "records": records}, layout, 10, 4)
    (folder / name).mkdir(parents=True)
    write_manifest(folder / name, made)
    return folder / name


def test_exact_numbers_go_before_halves(tmp_path):
    half = put(tmp_path, "half")
    assert find_cache(tmp_path, FACTS, ["logits"], BUILD) == half
    exact = put(tmp_path, "whole", "float32")
    assert find_cache(tmp_path, FACTS, ["logits"], BUILD) == exact
    finish(half)
    assert find_cache(tmp_path, FACTS, ["logits"], BUILD) == half  # the other one is half built
    finish(exact)
    assert find_cache(tmp_path, FACTS, ["logits"], BUILD) == exact
    assert find_cache(half, FACTS, ["logits"], BUILD) == half


def test_the_top_alone_is_taken_only_by_name(tmp_path):
    top = put(tmp_path, "top", top_k=3)
    with pytest.raises(
        IncompatibleError, match="top keeps the 3 largest logits only; name that folder to take it"
    ):
        find_cache(tmp_path, FACTS, ["logits"], BUILD)
    assert find_cache(top, FACTS, ["logits"], BUILD) == top


def test_changed_code_is_named_by_its_module(tmp_path):
    put(tmp_path, "old", code={"kdbench.taps": "0", "kdbench.gone": "3", "kdbench.models.role": "2"})
    put(tmp_path, "older", code={}, teacher={"weights": "b" * 64})
    with pytest.raises(IncompatibleError) as caught:
        find_cache(tmp_path, FACTS, ["logits"], BUILD)
    lines = str(caught.value).splitlines()
    assert lines[0].endswith(f"the one most alike, {tmp_path / 'old'}, differs in:")
    assert lines[1:3] == ["  - code.kdbench.gone: 3, now None", "  - code.kdbench.taps: 0, now 1"]
    assert lines[3] == f"build it: {BUILD}"


def test_a_list_of_differences_ends(tmp_path):
    put(tmp_path, "old", code={f"kdbench.m{number}": "0" for number in range(20)})
    with pytest.raises(IncompatibleError, match="and 14 more"):
        find_cache(tmp_path, FACTS, ["logits"], BUILD)


@pytest.mark.parametrize(("epochs", "serves"), [(3, True), (4, True), (5, False)])
def test_a_longer_cache_serves_and_a_shorter_one_does_not(tmp_path, epochs, serves):
    put(tmp_path, "one")
    wanted = {**FACTS, "draws": {"epochs": epochs, "of_epochs": None}}
    if serves:
        assert find_cache(tmp_path, wanted, ["logits"], BUILD) == tmp_path / "one"
    else:
        with pytest.raises(IncompatibleError, match="draws.epochs: 4, now 5".replace(".", r"\.")):
            find_cache(tmp_path, wanted, ["logits"], BUILD)


def test_a_cache_that_cannot_be_read_is_passed_over_unless_it_is_named(tmp_path):
    good, bad = put(tmp_path, "good"), put(tmp_path, "bad", "float32")
    (bad / MANIFEST).write_text("{")
    assert list(manifests(tmp_path)) == [good]
    with pytest.raises(InvalidDataError, match="is no manifest of a cache"):
        manifests(bad)


class Numbers(ClipDataset):
    def __init__(self, values, transforms=()):
        super().__init__(transforms)
        self.values = values

    def load(self, index):
        return {"inputs": {"x": self.values[index]}}

    def __len__(self):
        return len(self.values)


def test_the_content_of_clips_counts():
    values = np.arange(12, dtype="f4").reshape(4, 3)
    before = _clips_hash(Numbers(values))
    assert before == _clips_hash(Numbers(values.copy()))
    values[2, 1] += 1
    assert before != _clips_hash(Numbers(values))


def test_clips_vary_where_something_transforms_or_draws_them():
    class Drawn(Numbers):
        def draw(self, draw):
            return self.load(draw.index)

    values = np.zeros((2, 3), "f4")
    assert not varies(Numbers(values))
    assert varies(Numbers(values, [lambda sample, rng: sample]))
    assert varies(Drawn(values))
