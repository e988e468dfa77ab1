"""Which steps of a recording a sample has, and which classes hold at them."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kdbench.datasets.timeline import (
    Interval,
    frame_labels,
    num_steps,
    random_steps,
    sequence_labels,
    stretch_steps,
    stride,
    uniform_steps,
)

lengths, counts = st.integers(1, 300), st.integers(1, 100)


def published_uniform(length: int, count: int) -> list[int]:
    """As methods.md 2.1 says: the floor of a grid in floating point; the same in order if the numbers agree."""
    return [int(np.floor(i * length / count)) for i in range(count)]


@given(length=lengths, count=counts)
def test_uniform_steps_are_the_floor_of_a_grid(length, count):
    assert uniform_steps(length, count).tolist() == published_uniform(length, count)


@given(length=lengths, count=counts, seed=st.integers(0, 9))
def test_random_steps_stay_in_their_parts(length, count, seed):
    steps = random_steps(length, count, np.random.default_rng(seed))
    grid = published_uniform(length, count)
    ends = [*grid[1:], length - 1]
    assert all(low <= step <= high for low, step, high in zip(grid, steps, ends, strict=True))
    if length == count:
        assert steps.tolist() == list(range(count))


def test_both_ends_of_a_part_are_drawn_equally_often():
    steps = np.stack([random_steps(12, 4, np.random.default_rng(seed)) for seed in range(2000)])
    assert sorted(set(steps[:, 1])) == [3, 4, 5, 6]
    assert sorted(set(steps[:, 3])) == [9, 10, 11]
    assert np.allclose(np.bincount(steps[:, 1])[3:] / 2000, 0.25, atol=0.04)


places = st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=100)


@given(length=lengths, count=counts, within=places)
@example(length=30, count=10, within=[1 - 2**-53])
def test_a_step_of_a_stretch_lies_in_its_own(length, count, within):
    steps = stretch_steps(length, count, np.resize(within, count))
    for number, step in enumerate(steps.tolist()):  # a step lasts from its number to the next
        assert step < Fraction((number + 1) * length, count)
        assert step + 1 > Fraction(number * length, count)
    if length % count == 0:
        assert (steps // (length // count) == np.arange(count)).all()


@given(length=lengths, count=counts)
def test_stretches_begin_at_the_uniform_steps_and_few_steps_come_again(length, count):
    steps = stretch_steps(length, count, 0.0).tolist()
    assert steps == uniform_steps(length, count).tolist()
    if length <= count:
        assert {*steps} == {*range(length)}


def test_all_steps_of_a_stretch_are_drawn_equally_often():
    rng = np.random.default_rng(0)
    steps = np.stack([stretch_steps(12, 4, rng.random(4)) for _ in range(3000)])
    for number in range(4):
        assert np.allclose(
            np.bincount(steps[:, number], minlength=12)[3 * number :][:3] / 3000, 1 / 3, atol=0.04
        )


@pytest.mark.parametrize(("native", "every"), [(30, 12), (29.97, 12), (25, 10), (20.04, 8), (2.5, 1), (1, 1)])
def test_a_step_is_every_so_many_frames(native, every):
    assert stride(native, 2.5) == every
    assert num_steps(every, every) == 1
    assert num_steps(every + 1, every) == 2


def test_each_class_has_its_own_intervals_with_both_ends_and_gathered_at_the_steps():
    classes = ("a", "b", "c")
    intervals = [Interval("a", 0.0, 0.5), Interval("b", 2.0, 2.9), Interval("b", 7.9, 99.0)]
    labels = frame_labels(intervals, classes, np.arange(22), 2.5)
    assert np.flatnonzero(labels[:, 0]).tolist() == [0, 1]  # round(1.25) is 1
    assert np.flatnonzero(labels[:, 1]).tolist() == [5, 6, 7, 20, 21]  # round(7.25) is 7, round(19.75) is 20
    assert not labels[:, 2].any()
    steps = np.array([7, 7, 0, 21])
    assert (frame_labels(intervals, classes, steps, 2.5) == labels[steps]).all()


def test_halves_are_rounded_to_even_as_published():
    labels = frame_labels([Interval("a", 0.2, 0.6)], ("a",), np.arange(4), 2.5)  # 0.5 and 1.5
    assert labels[:, 0].tolist() == [1.0, 1.0, 1.0, 0.0]


def test_unknown_classes_are_left_out():
    assert sequence_labels(("b", "x", "b"), ("a", "b")).tolist() == [0.0, 1.0]
    assert not frame_labels([Interval("x", 0, 9)], ("a", "b"), np.arange(3), 2.5).any()
