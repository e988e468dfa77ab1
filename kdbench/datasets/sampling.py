"""The order of samples: a pure function of (seed, epoch), cut into global batches and sharded by rank."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from mmengine.dist import get_dist_info
from mmengine.registry import DATA_SAMPLERS
from torch.utils.data import Sampler

from ..spec import is_labelled
from .base import Draw


@DATA_SAMPLERS.register_module()
class EpochSampler(Sampler[Draw]):
    """Yields ``Draw(seed, epoch, index, round)``.

    The global order of an epoch does not depend on the number of processes: each takes its slice of every global
    batch of ``batch_size * world_size``, and an even share of a last one that is not full. ``samples_per_epoch``
    repeats (freshly shuffled) or cuts the data, so that a run with few labels takes as many steps as one with all.
    ``round_up`` (by default: when shuffling) adds samples until every process has as many as the others; else they
    differ by one at most, which is right for testing, but in training a process with one batch less would leave the
    others waiting for ever. ``start`` samples of this rank are skipped once, in constant time: that is how a run
    goes on in the middle of an epoch. ``draws`` says after how many epochs augmentation repeats itself (never, by
    default); the order of clips is a new one in every epoch all the same. A clip that comes again within an epoch is
    augmented as before; with ``redraw`` anew (``round`` counts), as where an epoch is one pass over a data set that
    holds each clip several times.

    ``labelled_share``, in (0, 1), is the share of labelled clips in every batch, as semi-supervised training has it
    (FixMatch: Sohn et al., NeurIPS 2020, mixes B labelled with 7 B unlabelled images, a share of 0.125); by default
    batches have the data's own. Any ``n`` draws in a row then hold ``n * labelled_share`` labelled ones, rounded down
    or up; both kinds come round as often as that takes, shuffled anew each time.
    """

    def __init__(
        self,
        dataset: Any,
        seed: int | None = None,
        shuffle: bool = True,
        batch_size: int = 1,
        samples_per_epoch: int | None = None,
        round_up: bool | None = None,
        draws: int | None = None,
        labelled_share: float | None = None,
        redraw: bool = False,
    ):
        if len(dataset) == 0:
            raise ValueError("the data set is empty")
        if draws is not None and draws < 1:
            raise ValueError(
                f"draws={draws}; each clip has 1 draw at least, or None for a new one every epoch"
            )
        self.rank, self.world_size = get_dist_info()
        self.size, self.seed, self.shuffle, self.batch_size = len(dataset), seed or 0, shuffle, batch_size
        self.total = samples_per_epoch or self.size
        if shuffle if round_up is None else round_up:
            self.total = -(-self.total // self.world_size) * self.world_size
        self.epoch, self.start, self.draws, self.redraw = 0, 0, draws, redraw
        self.labelled_share = labelled_share
        self._labelled = None if labelled_share is None else self._checked_labels(dataset)

    def _checked_labels(self, dataset: Any) -> np.ndarray:
        """Which clips are labelled, ``(N,)`` bool; a share that cannot be had is a ``ValueError``."""
        asked, labelled = f"labelled_share={self.labelled_share}", is_labelled(dataset.targets)
        if not 0 < self.labelled_share < 1:
            raise ValueError(f"{asked}; it lies between 0 and 1, or is None for the data's own share")
        if not self.shuffle:
            raise ValueError(
                f"{asked} asks for another order than that of the data, which shuffle=False keeps"
            )
        if labelled.all() or not labelled.any():
            raise ValueError(
                f"{asked}, and {labelled.sum()} of the data's {self.size} clips are labelled; it takes some of each "
                'kind: labelled=dict(fraction=, seed=) or dict(subjects=), with unlabelled="keep"'
            )
        return labelled

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration draws."""
        self.epoch = epoch

    def skip(self, start: int) -> None:
        """Let the next iteration begin at this rank's sample ``start``."""
        self.start = start

    def drawn_epoch(self, epoch: int) -> int:
        """The epoch whose augmentation an epoch has."""
        return epoch % self.draws if self.draws else epoch

    def order(self, epoch: int) -> np.ndarray:
        """All indices of an epoch, in the order of one process."""
        if not self.shuffle:
            return np.arange(self.total) % self.size
        if self._labelled is None:
            return self._drawn(epoch, np.ones(self.size, dtype=bool), self.total)
        order, labelled = np.empty(self.total, dtype=np.int64), self._labelled_places()
        for places, clips in ((labelled, self._labelled), (~labelled, ~self._labelled)):
            order[places] = self._drawn(epoch, clips, int(places.sum()))
        return order

    @property
    def meets_all(self) -> bool:
        """Whether every clip is drawn in every epoch."""
        return self.total >= self.size and self._labelled is None

    @property
    def redraws(self) -> bool:
        """Whether a clip may come twice in an epoch, in two forms."""
        return self.redraw and bool(self._rounds().any())

    def _labelled_places(self) -> np.ndarray:
        # Evenly spread, so that every batch has its share whatever its size and however many processes cut it.
        passed = np.floor(np.arange(self.total + 1) * self.labelled_share + 1e-9)
        return np.diff(passed) > 0

    def _rounds(self) -> np.ndarray:
        """How often each draw's clip has come before in its epoch, ``(total,)``: the same in every epoch."""
        if self._labelled is None:
            return np.arange(self.total) // self.size
        rounds, labelled = np.empty(self.total, dtype=np.int64), self._labelled_places()
        for places, clips in ((labelled, self._labelled), (~labelled, ~self._labelled)):
            rounds[places] = np.arange(places.sum()) // clips.sum()
        return rounds

    def _drawn(self, epoch: int, clips: np.ndarray, count: int) -> np.ndarray:
        """``count`` of the ``clips``, a mask: each once before any comes again."""
        rounds = range(max(-(-count // int(clips.sum())), 1))
        shuffled = (self._permutation(epoch, k) for k in rounds)
        return np.concatenate([order[clips[order]] for order in shuffled])[:count]

    def _permutation(self, epoch: int, round_: int) -> np.ndarray:
        key = np.array([self.seed, epoch], dtype=np.uint64)
        return np.random.Generator(np.random.Philox(key=key, counter=[0, 0, 1 + round_, 0])).permutation(
            self.size
        )

    def _is_mine(self) -> np.ndarray:
        owner = np.arange(self.total) // self.batch_size % self.world_size
        rest = self.total % (self.batch_size * self.world_size)
        if rest:
            owner[-rest:] = np.arange(rest) * self.world_size // rest
        return owner == self.rank

    def __iter__(self) -> Iterator[Draw]:
        start, self.start = self.start, 0
        mine, epoch = np.flatnonzero(self._is_mine())[start:], self.drawn_epoch(self.epoch)
        clips = self.order(self.epoch)[mine].tolist()
        rounds = self._rounds()[mine].tolist() if self.redraw else [0] * len(mine)
        return iter([Draw(self.seed, epoch, *drawn) for drawn in zip(clips, rounds, strict=True)])

    def __len__(self) -> int:
        return int(self._is_mine().sum()) - self.start
