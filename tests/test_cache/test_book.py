"""Every draw of a run has one record, and each record is computed in a batch of training."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdbench.cache import Book
from kdbench.datasets.base import Draw
from kdbench.datasets.sampling import EpochSampler
from kdbench.spec import IGNORED, IncompatibleError

sizes, epochs, batches = st.integers(1, 40), st.integers(1, 7), st.integers(1, 9)
options = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 2**31),
        "shuffle": st.booleans(),
        "samples_per_epoch": st.one_of(st.none(), st.integers(1, 100)),
        "draws": st.one_of(st.none(), st.integers(1, 5)),
        "labelled_share": st.one_of(st.none(), st.floats(0.1, 0.9)),
    }
).map(lambda chosen: chosen if chosen["shuffle"] else {**chosen, "labelled_share": None})


class Clips:
    """So many clips, every third of them labelled."""

    def __init__(self, size: int):
        self.targets = np.where(np.arange(size) % 3 == 0, 1, IGNORED)

    def __len__(self) -> int:
        return len(self.targets)


def made(size: int, given_options: dict) -> EpochSampler:
    """A sampler; one clip alone has no share of labelled ones."""
    share = given_options["labelled_share"] if size > 1 else None
    return EpochSampler(Clips(size), **{**given_options, "labelled_share": share})


def drawn(sampler: EpochSampler, count: int) -> list[list[Draw]]:
    """The draws of each epoch as training meets them."""
    found = []
    for epoch in range(count):
        sampler.set_epoch(epoch)
        found.append(list(sampler))
    return found


@given(sizes, epochs, batches, options)
def test_each_draw_of_training_has_its_record(size, count, batch_size, given_options):
    sampler = made(size, given_options)
    book, row_of = Book(sampler, count, batch_size), {}
    for epoch, draws in enumerate(drawn(sampler, count)):
        rows = book.rows(epoch, np.array([draw.index for draw in draws]))
        for draw, row in zip(draws, rows.tolist(), strict=True):
            assert row_of.setdefault(draw, row) == row
            assert book.draw(row) == draw
    assert sorted(row_of.values()) == list(range(len(book)))


@given(sizes, epochs, batches, options, st.integers(1, 30))
def test_records_are_computed_once_in_batches_of_training(size, count, batch_size, given_options, a_block):
    sampler = made(size, given_options)
    book, found = Book(sampler, count, batch_size), {}
    trained = {
        tuple(draws[start : start + batch_size])
        for draws in drawn(sampler, count)
        for start in range(0, len(draws), batch_size)
    }
    for start in range(0, len(book), a_block):
        for draws, wanted, rows in book.batches(start, min(start + a_block, len(book))):
            assert tuple(draws) in trained
            for place, row in zip(wanted.tolist(), rows.tolist(), strict=True):
                assert row not in found
                found[row] = draws[place]
    assert found == {row: book.draw(row) for row in range(len(book))}


@given(sizes, epochs, options)
def test_clips_that_do_not_vary_have_one_record(size, count, given_options):
    sampler = made(size, given_options)
    book = Book(sampler, count, 4, varies=False)
    clips = {draw.index for draws in drawn(sampler, count) for draw in draws}
    assert len(book) == len(clips)
    for epoch, draws in enumerate(drawn(sampler, count)):
        for draw in draws:
            assert book.draw(int(book.rows(epoch, np.array([draw.index]))[0])).index == draw.index


def test_a_longer_run_begins_with_the_records_of_a_shorter_one():
    sampler = EpochSampler(range(10), seed=3, samples_per_epoch=7)
    short, long = Book(sampler, 2, 4), Book(sampler, 5, 4)
    assert [long.draw(row) for row in range(len(short))] == [short.draw(row) for row in range(len(short))]


def test_what_was_not_drawn_is_refused_by_name():
    book = Book(EpochSampler(range(10), shuffle=False, samples_per_epoch=4), 2, 4)
    with pytest.raises(IncompatibleError, match="clip 7 in epoch 1 is in no record of 4"):
        book.rows(1, np.array([2, 7]))
    with pytest.raises(IncompatibleError, match="epoch 2 is read from a cache of 2 epochs"):
        book.rows(2, np.array([0]))
