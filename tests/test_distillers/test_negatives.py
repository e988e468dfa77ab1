"""Draws of negatives: never of the same class, equally likely, distinct where they fit."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kdbench.distillers.negatives import SampleClasses, spread


def classes(targets) -> SampleClasses:
    holder = SampleClasses(len(targets))
    holder.set_targets(torch.as_tensor(targets))
    return holder


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 999))
def test_spread_repeats_evenly(available: int, count: int, seed: int) -> None:
    torch.manual_seed(seed)
    drawn = spread(torch.tensor([available]), count)[0]
    times = torch.bincount(drawn, minlength=available)
    assert len(times) == available
    assert times.max() - times.min() <= 1 or count < available
    assert count > available or times.max() == 1


def test_spread_likes_no_number_better() -> None:
    torch.manual_seed(0)
    drawn = spread(torch.full((20_000,), 7), 3)
    share = torch.bincount(drawn.flatten(), minlength=7) / drawn.numel()
    torch.testing.assert_close(share, torch.full((7,), 1 / 7), atol=0.005, rtol=0)


@given(st.lists(st.integers(-1, 3), min_size=2, max_size=30), st.integers(1, 40), st.integers(0, 999))
def test_single_label_negatives_are_all_of_another_class(targets, count, seed) -> None:
    torch.manual_seed(seed)
    index = torch.arange(len(targets))
    drawn = classes(targets).negatives(index, count)
    assert drawn.shape == (len(targets), count)
    for own, row in zip(index.tolist(), drawn.tolist(), strict=True):
        relatives = {j for j, t in enumerate(targets) if j == own or (t >= 0 and t == targets[own])}
        if len(relatives) == len(targets):  # everybody is of this class: anyone but itself
            relatives = {own}
        others = len(targets) - len(relatives)
        assert not relatives & set(row)
        assert len(set(row)) == min(count, others)


@given(st.integers(2, 12), st.integers(1, 4), st.integers(1, 20), st.integers(0, 999))
def test_multi_label_negatives_share_no_class(samples, labels, count, seed) -> None:
    torch.manual_seed(seed)
    targets = (torch.rand(samples, labels) < 0.3).float()
    targets[0] = -1
    drawn = classes(targets).negatives(torch.arange(samples), count)
    for own, row in enumerate(drawn.tolist()):
        related = {
            j for j in range(samples) if j == own or ((targets[own] > 0) & (targets[j] > 0)).any().item()
        }
        related = related if len(related) < samples else {own}
        assert not related & set(row)
        assert len(set(row)) == min(count, samples - len(related))


@pytest.mark.parametrize("form", ["single", "multi"])
def test_relatives_are_of_the_same_class_and_all_of_them_come(form: str) -> None:
    targets = torch.tensor([0, 1, 0, -1, 1, 0])
    holder = classes(
        targets
        if form == "single"
        else torch.nn.functional.one_hot(targets.clamp(min=0), 2) * (targets[:, None] >= 0)
    )
    torch.manual_seed(0)
    drawn = torch.stack([holder.relatives(torch.tensor([0, 3])) for _ in range(100)])
    assert set(drawn[:, 0].tolist()) == {0, 2, 5}
    assert set(drawn[:, 1].tolist()) == {3}


def test_without_targets_everybody_else_is_a_negative() -> None:
    drawn = SampleClasses(5).negatives(torch.tensor([2]), 4)[0]
    assert sorted(drawn.tolist()) == [0, 1, 3, 4]


def test_sharing_a_class() -> None:
    index, everyone = torch.tensor([0, 2]), torch.arange(3)
    single, several = classes([1, 1, -100]), classes(np.array([[1, 0], [1, 1], [-1, -1]], np.float32))
    expected = torch.tensor([[True, True, False], [False, False, True]])
    assert torch.equal(single.share(index, everyone), expected)
    assert torch.equal(several.share(index, everyone), expected)


def test_labels_are_in_no_state_dict() -> None:
    assert not classes([0, 1]).state_dict()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: SampleClasses(1),
            "negatives need at least two training samples; there is: num_samples=1",
        ),
        (
            lambda: classes([0, 1]).set_targets(torch.zeros(3)),
            "targets must be (2,) or (2, K); their shape is (3,); num_train of the data is the number of training "
            "samples",
        ),
    ],
)
def test_wrong_sizes_are_named(call, message) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the whole text is compared
        call()
    assert str(error.value) == message
