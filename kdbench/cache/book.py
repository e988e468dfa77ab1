"""Which record holds which draw of a training run, and in which batches the teacher is asked for it."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ..datasets.base import Draw
from ..spec import IncompatibleError


class Page(NamedTuple):
    """The clips of one drawn epoch: ``order`` as training meets them, ``batch`` of each, and where each is new."""

    order: np.ndarray
    batch: np.ndarray
    first: np.ndarray

    @property
    def clips(self) -> np.ndarray:
        """Each clip once, in the order of its records, ``(n,)``."""
        return self.order[self.first]


class Book:
    """The draws of a training run in the order in which training first meets them, numbered from 0.

    So a record has no address of its own: where it stands follows from the sampler (an ``EpochSampler``), ``epochs``
    and ``batch_size``. Clips that do not vary (``varies=False``) have one record, whatever the epoch. Epochs whose
    augmentation repeats an earlier one (``draws`` of the sampler) have no records of their own.
    """

    def __init__(self, sampler: Any, epochs: int, batch_size: int, varies: bool = True):
        self.sampler, self.epochs, self.batch_size, self.varies = sampler, epochs, batch_size, varies
        self.draws = min(sampler.draws or epochs, epochs) if varies else 1
        self.is_cycled = self.draws < epochs
        self._starts = np.concatenate([[0], np.cumsum([self._count(k) for k in range(self.draws)])])
        self._page: tuple[int, Page, np.ndarray] | None = None

    def __len__(self) -> int:
        return int(self._starts[-1])

    def drawn(self, epoch: int) -> int:
        """The epoch whose records an epoch reads."""
        return self.sampler.drawn_epoch(epoch) % self.draws if self.varies else 0

    def rows(self, epoch: int, clips: np.ndarray) -> np.ndarray:
        """The records of clips ``(B,)`` in an epoch of training; a draw that has none is an ``IncompatibleError``."""
        if epoch >= self.epochs:
            raise IncompatibleError(
                f"epoch {epoch} is read from a cache of {self.epochs} epochs; build a longer one"
            )
        k = self.drawn(epoch)
        _, page, place = self._open(k)
        found = place[clips]
        if (found < 0).any():
            absent = clips[found < 0][0]
            raise IncompatibleError(
                f"clip {absent} in epoch {epoch} is in no record of {len(page.first)}; build the cache of this run"
            )
        return found + self._starts[k]

    def batches(self, start: int, stop: int) -> Iterator[tuple[list[Draw], np.ndarray, np.ndarray]]:
        """The training batches in which the records ``[start, stop)`` first occur.

        Each is the batch's draws, which of them are wanted, and the record of each of these.
        """
        for k in range(self.draws):
            low, high = max(start - self._starts[k], 0), min(stop, self._starts[k + 1]) - self._starts[k]
            if low >= high:
                continue
            _, page, _ = self._open(k)
            for number in np.unique(page.batch[page.first[low:high]]):
                begin, end = np.searchsorted(page.batch, [number, number + 1])
                draws = [Draw(self.sampler.seed, k, int(clip)) for clip in page.order[begin:end]]
                own = page.first[low:high]
                is_own = (own >= begin) & (own < end)
                yield draws, own[is_own] - begin, np.flatnonzero(is_own) + low + self._starts[k]

    def draw(self, row: int) -> Draw:
        """The draw that a record holds."""
        k = int(np.searchsorted(self._starts, row, side="right")) - 1
        return Draw(self.sampler.seed, k, int(self._open(k)[1].clips[row - self._starts[k]]))

    def _count(self, k: int) -> int:
        """The number of records of a drawn epoch, with a look at its order only where clips may come twice."""
        if self.sampler.meets_all:
            return int(self.sampler.size)
        may_repeat = self.is_cycled or self.sampler.labelled_share is not None
        return len(self._made(k).first) if may_repeat else int(self.sampler.total)

    def _open(self, k: int) -> tuple[int, Page, np.ndarray]:
        """The page of a drawn epoch and the place of each clip on it, -1 for none; the last one is kept."""
        if self._page is None or self._page[0] != k:
            page = self._made(k)
            place = np.full(self.sampler.size, -1, dtype=np.int64)
            place[page.clips] = np.arange(len(page.first))
            self._page = k, page, place
        return self._page

    def _made(self, k: int) -> Page:
        sources = [epoch for epoch in range(self.epochs) if self.drawn(epoch) == k]
        if self.sampler.meets_all:
            sources = sources[:1]
        orders = [self.sampler.order(epoch) for epoch in sources]
        a_source = -(
            -self.sampler.total // self.batch_size
        )  # batches; the last one of an epoch may be smaller
        batches = [np.arange(len(o)) // self.batch_size + a_source * n for n, o in enumerate(orders)]
        order = np.concatenate(orders)
        return Page(order, np.concatenate(batches), np.sort(np.unique(order, return_index=True)[1]))
