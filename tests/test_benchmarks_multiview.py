"""The benchmark of several views compares equals: loop and folded views, loader and decoding, mapped and anew."""

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks import multiview_cases as cases
from benchmarks import multiview_files as files
from benchmarks.multiview import Turns, same


@pytest.mark.parametrize("name", cases.NAMES)
def test_a_loop_over_views_has_the_losses_and_gradients_of_folded_views(name: str) -> None:
    batch = cases.batch(2)
    folded, looped = (cases.gradients(cases.model(name, looped=loop), batch) for loop in (False, True))
    same(name, folded, looped)
    assert sum(float(one.norm()) for one in folded[1:]) > 0
    bent = [folded[0], *(1.001 * one for one in folded[1:])]
    with pytest.raises(AssertionError, match="a loss or gradient differs"):
        same(name, bent, looped)


def test_the_loop_really_goes_over_views() -> None:
    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.shapes: list[torch.Size] = []

        def forward(self, x: torch.Tensor, keep: torch.Tensor | None) -> torch.Tensor:
            self.shapes.append(x.shape)
            return x + 1

    inner, x = Counting(), torch.rand(2 * 3, 4)
    torch.testing.assert_close(cases.OverViews(inner, views=3)(x, None), x + 1)
    assert inner.shapes == [(2, 4)] * 3


def test_single_views_are_the_same_pictures() -> None:
    five, one = cases.batch(2), cases.batch(2, views=1)
    for name, value in five["inputs"].items():
        assert one["inputs"][name].shape == (2 * cases.VIEWS, 1, *value.shape[2:])
        torch.testing.assert_close(one["inputs"][name].unflatten(0, (2, -1))[:, :, 0], value)
    assert one["target"].shape == (2 * cases.VIEWS, cases.CLASSES)
    parameters = [
        sum(p.numel() for p in cases.model("MultiASL", views=views).parameters()) for views in (5, 1)
    ]
    assert parameters[0] == parameters[1]


def test_figures_are_over_the_bound(capsys: pytest.CaptureFixture[str]) -> None:
    turns = Turns(threads=1, repeats=3)
    ticks = iter(range(1000))
    turns.now = lambda: 1.0 * next(ticks)
    found = turns("something", {"ours": lambda: next(ticks), "bare": lambda: None}, "bare", target=1.1)
    assert found["ours"] == {"ratio": 2.0, "quartiles": [2.0, 2.0], "bound": 1.1}
    assert "ours / bare = 2 [2, 2] (bound 1.1)" in capsys.readouterr().out


@pytest.mark.slow
def test_files_give_what_decoding_and_computing_anew_give(tmp_path) -> None:
    pytest.importorskip("av", reason="the files are written with PyAV")
    root = files.make_home(tmp_path, recordings=1, seconds=4.0)
    ways = files.loading(root)  # refuses frames that differ from decoding alone
    kept = ways["the same, frames mapped too"]()
    heard = ways["the same with sound, log-mel mapped"]()
    for one, other in zip(kept, heard, strict=True):
        assert set(one["inputs"]) == {"rgb", "audio"}
        for name, value in one["inputs"].items():
            torch.testing.assert_close(value, other["inputs"][name])
        assert float(one["inputs"]["audio"][..., :30, :].std()) > 0.1  # the hops that hold sound
    sound = files.sounding(root)
    np.testing.assert_array_equal(sound["mapped"](), sound["anew"]())
    if files.DETECTOR.is_file() and files.PEOPLE.is_file():
        scores, masks = files.masking(root)["mapped"]()
        assert scores.max() > 0.3
        assert masks.any()
