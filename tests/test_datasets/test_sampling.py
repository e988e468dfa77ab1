import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdbench.datasets import sampling
from kdbench.datasets.base import Draw, generator, restart, transformed
from kdbench.datasets.sampling import EpochSampler
from kdbench.spec import IGNORED

sizes = st.integers(1, 60)
seeds = st.integers(0, 2**31)


class Counted:
    def __init__(self, size, targets=None):
        self.size, self.targets = size, targets

    def __len__(self):
        return self.size


def sampler(size, rank=0, world_size=1, targets=None, **options):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sampling, "get_dist_info", lambda: (rank, world_size))
        return EpochSampler(Counted(size, targets), **options)


def indices(made):
    return [draw.index for draw in made]


@given(sizes, seeds, st.integers(0, 500))
def test_an_epoch_is_a_permutation(size, seed, epoch):
    made = sampler(size, seed=seed)
    made.set_epoch(epoch)
    draws = list(made)
    assert sorted(indices(draws)) == list(range(size))
    assert {draw[:2] for draw in draws} == {(seed, epoch)}


def test_epochs_and_seeds_differ():
    made = sampler(50, seed=1)
    first = indices(made)
    made.set_epoch(1)
    assert indices(made) != first
    assert indices(sampler(50, seed=2)) != first
    assert indices(sampler(50, seed=1)) == first


@given(
    sizes,
    seeds,
    st.integers(1, 8),
    st.integers(1, 4),
    st.one_of(st.none(), st.integers(1, 150)),
    st.booleans(),
)
def test_ranks_partition_the_global_batches(size, seed, batch_size, world_size, samples, shuffle):
    options = {"seed": seed, "shuffle": shuffle, "samples_per_epoch": samples, "round_up": False}
    whole = indices(sampler(size, batch_size=batch_size * world_size, **options))
    ranks = [sampler(size, r, world_size, batch_size=batch_size, **options) for r in range(world_size)]
    assert all(len(list(rank)) == len(rank) for rank in ranks)
    parts = [indices(rank) for rank in ranks]
    step = batch_size * world_size
    for start in range(0, len(whole), step):
        begin = start // world_size
        gathered = [i for part in parts for i in part[begin : begin + batch_size]]
        assert gathered == whole[start : start + step]
    assert sum(map(len, parts)) == len(whole)


@given(sizes, seeds, st.integers(1, 8), st.integers(1, 4), st.integers(0, 60))
def test_skipping_goes_on_where_it_was_and_only_once(size, seed, batch_size, world_size, start):
    made = sampler(size, 0, world_size, seed=seed, batch_size=batch_size)
    whole = list(made)
    made.skip(min(start, len(whole)))
    assert len(made) == len(whole[start:])
    assert list(made) == whole[start:]
    assert list(made) == whole


@given(sizes, seeds, st.integers(1, 200))
def test_repeats_are_shuffled_anew_and_show_each_sample_equally_often(size, seed, samples):
    order = np.array(indices(sampler(size, seed=seed, samples_per_epoch=samples)))
    assert len(order) == samples
    counts = np.bincount(order, minlength=size)
    assert counts.max() - counts.min() <= 1


def test_a_second_round_has_another_order():
    order = indices(sampler(40, samples_per_epoch=80))
    assert order[:40] != order[40:]


@given(sizes, st.integers(1, 100))
def test_without_shuffle_the_order_is_that_of_the_data(size, samples):
    assert indices(sampler(size, shuffle=False, samples_per_epoch=samples)) == [
        i % size for i in range(samples)
    ]


@given(sizes, st.integers(1, 5), st.integers(1, 8), st.one_of(st.none(), st.integers(1, 150)))
def test_in_training_all_ranks_have_as_many_samples(size, world_size, batch_size, samples):
    options = {"batch_size": batch_size, "samples_per_epoch": samples}
    ranks = [sampler(size, rank, world_size, **options) for rank in range(world_size)]
    lengths = {len(rank) for rank in ranks} | {len(list(rank)) for rank in ranks}
    assert lengths == {-(-(samples or size) // world_size)}


@given(sizes, st.integers(1, 5), st.integers(1, 8))
def test_in_testing_every_sample_comes_once_and_ranks_differ_by_one(size, world_size, batch_size):
    ranks = [sampler(size, r, world_size, shuffle=False, batch_size=batch_size) for r in range(world_size)]
    assert sorted(i for rank in ranks for i in indices(rank)) == list(range(size))
    assert max(map(len, ranks)) - min(map(len, ranks)) <= 1


def test_an_empty_data_set_is_refused():
    with pytest.raises(ValueError, match="empty"):
        sampler(0)


@given(seeds, st.integers(0, 1000), st.integers(0, 10**6), st.integers(0, 5))
def test_a_draw_has_its_own_stream(seed, epoch, index, stream):
    draw = Draw(seed, epoch, index)
    numbers = generator(draw, stream).random(4)
    assert (numbers == generator(draw, stream).random(4)).all()
    for other in (
        draw._replace(epoch=epoch + 1),
        draw._replace(index=index + 1),
        draw._replace(seed=seed + 1),
    ):
        assert (numbers != generator(other, stream).random(4)).any()
    assert (numbers != generator(draw, stream + 1).random(4)).any()


def test_rounds_of_a_draw_and_permutations_of_the_sampler_are_other_streams():
    drawn = [generator(Draw(3, 2, 0, round_)).random(4).tolist() for round_ in range(3)]
    key = np.array([3, 2], dtype=np.uint64)
    for k in range(4):
        drawn.append(
            np.random.Generator(np.random.Philox(key=key, counter=[0, 0, 1 + k, 0])).random(4).tolist()
        )
    assert len({tuple(numbers) for numbers in drawn}) == 7
    rng = generator(Draw(3, 2, 0, 1))
    restart(rng, 5)
    assert rng.random() == generator(Draw(3, 2, 0, 1), 5).random()


def test_what_a_transform_draws_does_not_depend_on_the_ones_before():
    def greedy(sample, rng):
        rng.random(102)
        rng.integers(9, dtype=np.int32)  # leaves half of a word behind
        return sample

    def idle(sample, rng):
        return sample

    def noted(sample, rng):
        return {**sample, "drawn": rng.random()}

    draw = Draw(3, 2, 1)
    for before in (greedy, idle):
        assert transformed({}, [before, noted], draw) == {"drawn": generator(draw, 1).random()}
        assert transformed({}, [before, before, noted], draw) == {"drawn": generator(draw, 2).random()}


@given(sizes, seeds, st.integers(1, 4), st.integers(0, 20))
def test_augmentation_repeats_itself_after_so_many_epochs_and_the_order_does_not(size, seed, draws, epoch):
    cycled, fresh = sampler(size, seed=seed, draws=draws), sampler(size, seed=seed)
    for made in (cycled, fresh):
        made.set_epoch(epoch)
    assert indices(cycled) == indices(fresh)
    assert {draw.epoch for draw in cycled} == {epoch % draws}


def test_no_draw_at_all_is_refused():
    with pytest.raises(ValueError, match=r"draws=0; each clip has 1 draw at least"):
        sampler(3, draws=0)


shares = st.floats(0.02, 0.98)


@st.composite
def partly_labelled(draw):
    """Targets of which some are labelled and some are not."""
    count, seed = draw(st.integers(2, 40)), draw(st.integers(0, 99))
    labelled = draw(st.integers(1, count - 1))
    targets = np.where(np.arange(count) < labelled, 3, IGNORED)
    return np.random.default_rng(seed).permutation(targets)


@given(partly_labelled(), shares, st.integers(1, 200), st.integers(1, 33), seeds, st.integers(0, 50))
def test_every_batch_has_its_share_of_labelled_clips(targets, share, samples, batch, seed, epoch):
    made = sampler(len(targets), targets=targets, labelled_share=share, samples_per_epoch=samples, seed=seed)
    made.set_epoch(epoch)
    labelled = targets[indices(made)] >= 0
    assert len(labelled) == samples
    for start in range(0, samples, batch):
        found = labelled[start : start + batch]
        assert abs(found.sum() - share * len(found)) < 1


@given(partly_labelled(), shares, st.integers(1, 200), seeds)
def test_clips_of_a_kind_come_round_equally_often(targets, share, samples, seed):
    order = indices(
        sampler(len(targets), targets=targets, labelled_share=share, samples_per_epoch=samples, seed=seed)
    )
    counts = np.bincount(order, minlength=len(targets))
    for kind in (targets >= 0, targets < 0):
        assert np.ptp(counts[kind]) <= 1


@given(partly_labelled(), shares, st.integers(1, 4), st.integers(1, 9))
def test_processes_have_the_batches_of_one_with_a_share_too(targets, share, world_size, batch_size):
    options = {"targets": targets, "labelled_share": share, "samples_per_epoch": 36}
    whole = indices(sampler(len(targets), **options))
    ranks = [
        sampler(len(targets), r, world_size, batch_size=batch_size, **options) for r in range(world_size)
    ]
    assert sorted(whole) == sorted(i for rank in ranks for i in indices(rank))


@given(
    partly_labelled(),
    st.one_of(st.none(), shares),
    st.integers(1, 200),
    st.booleans(),
    st.integers(1, 3),
    st.integers(0, 9),
)
def test_redrawn_repeats_count_on_and_change_nothing_else(
    targets, share, samples, shuffle, world_size, start
):
    options = {"targets": targets, "samples_per_epoch": samples, "shuffle": shuffle or share is not None}
    options |= {"labelled_share": share, "batch_size": 4}
    whole = list(sampler(len(targets), redraw=True, **options))
    met: dict[int, int] = {}
    for draw in whole:
        assert draw.round == met.get(draw.index, 0)
        met[draw.index] = draw.round + 1
    assert [draw._replace(round=0) for draw in whole] == list(sampler(len(targets), **options))
    ranks = [sampler(len(targets), r, world_size, redraw=True, **options) for r in range(world_size)]
    found = [list(rank) for rank in ranks]
    assert set(whole) <= {draw for rank in found for draw in rank}
    ranks[0].skip(start)
    assert list(ranks[0]) == found[0][start:]
    assert ranks[0].redraws == (max(draw.round for rank in found for draw in rank) > 0)


def test_a_share_of_labelled_clips_leaves_seeds_and_epochs_their_own_orders():
    targets = np.where(np.arange(40) < 8, 1, IGNORED)
    made = sampler(40, targets=targets, labelled_share=0.5, seed=1)
    first = indices(made)
    assert indices(made) == first
    made.set_epoch(1)
    assert indices(made) != first
    assert indices(sampler(40, targets=targets, labelled_share=0.5, seed=2)) != first


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labelled_share": 1.0}, r"labelled_share=1\.0; it lies between 0 and 1"),
        ({"labelled_share": 0.5, "shuffle": False}, "which shuffle=False keeps"),
        ({"labelled_share": 0.5, "targets": np.zeros(4)}, "4 of the data's 4 clips are labelled"),
        ({"labelled_share": 0.5, "targets": np.full((4, 2), -1)}, "0 of the data's 4 clips are labelled"),
    ],
)
def test_a_share_that_cannot_be_had_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        sampler(4, **{"targets": np.array([0, 1, IGNORED, IGNORED]), **options})
