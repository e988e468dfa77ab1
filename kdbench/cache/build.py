"""Filling a cache: the missing blocks, by several processes, each block committed as soon as it is there."""

import os
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from ..datasets.files import folder_lock
from ..spec import InvalidDataError, KDBenchError
from .book import Book
from .layout import Layout
from .live import Live
from .store import SHORT, Blocks, Writer, layout_of, new_manifest, prepare, read_manifest, write_manifest

Teach = Callable[[Sequence[Any]], Mapping[str, np.ndarray]]
Progress = Callable[[int, int], None]


def facts_of_cache(live: Live, layout: Layout) -> dict[str, Any]:
    """What the key of a cache is made from: what decides the teacher's outputs, and how they are kept."""
    records = {"taps": list(live.taps), "dtype": layout.dtype, "top_k": layout.top_k}
    return {**live.facts(), "records": records}


def build_cache(
    live: Live,
    folder: str | Path,
    dtype: str = "float16",
    top_k: int | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
    **about: Any,
) -> Path:
    """The whole cache of ``live`` below ``folder``; what an earlier, killed call left is kept.

    Another process that builds the same one is waited for. ``progress`` gets the numbers of blocks done and of all;
    ``about`` goes into the manifest, for people.
    """
    layout = live.layout(dtype, top_k)
    described = {"teacher": live.describe(), **about}
    manifest = new_manifest(
        facts_of_cache(live, layout), layout, len(live.book), live.book.batch_size, **described
    )
    place = Path(folder) / manifest["key"][:SHORT]
    fill(place, manifest, live.book, live, jobs, progress)
    return place


def fill(
    place: Path,
    manifest: Mapping[str, Any],
    book: Book,
    teach: Teach,
    jobs: int = 1,
    progress: Progress | None = None,
) -> None:
    """Compute the blocks of a cache that are not there yet."""
    with folder_lock(place):
        blocks, missing = _begun(place, manifest)
        tell = progress or (lambda done, total: None)
        tell(len(blocks) - len(missing), len(blocks))
        if not missing:
            return
        work = Work(blocks, layout_of(manifest), book, teach)
        done = work.alone(missing) if jobs <= 1 else work.shared(missing, jobs)
        for count, _ in enumerate(done, 1 + len(blocks) - len(missing)):
            tell(count, len(blocks))


def _begun(place: Path, manifest: Mapping[str, Any]) -> tuple[Blocks, list[int]]:
    """The blocks of a cache, and which are missing; its manifest stays if it says the same."""
    try:
        is_kept = read_manifest(place)["layout"] == manifest["layout"]
    except InvalidDataError:
        is_kept = False
    if not is_kept:
        write_manifest(place, manifest)
    blocks = Blocks(place, manifest)
    return blocks, prepare(blocks)


class Work:
    """The computing of blocks, in this process or in forks of it."""

    def __init__(self, blocks: Blocks, layout: Layout, book: Book, teach: Teach):
        self.blocks, self.layout, self.book, self.teach = blocks, layout, book, teach

    def block(self, number: int) -> np.ndarray:
        """The records of a block. The teacher sees whole batches of training: that decides the last bits."""
        start, stop = self.blocks.rows(number)
        records = np.zeros(stop - start, dtype=self.layout.record)
        for draws, wanted, rows in self.book.batches(start, stop):
            records[rows - start] = self.layout.encode(self.teach(draws))[wanted]
        return records

    def alone(self, missing: Sequence[int]) -> Any:
        """Commit one block after the other; yields after each."""
        writer = Writer(self.blocks)
        try:
            for number in missing:
                writer.commit(number, self.block(number))
                yield number
        finally:
            writer.close()

    def shared(self, missing: Sequence[int], jobs: int) -> Any:
        """The same by ``jobs`` forks of this process, which must not have computed with several threads."""
        context = get_context("fork")
        results = context.SimpleQueue()
        shares = [missing[first::jobs] for first in range(min(jobs, len(missing)))]
        workers = [
            context.Process(target=self._share, args=(share, results, os.getpid())) for share in shares
        ]
        for worker in workers:
            worker.start()
        try:
            yield from self._collected(workers, results, len(missing))
        finally:
            for worker in workers:
                worker.terminate()
                worker.join()

    def _share(self, missing: Sequence[int], results: Any, parent: int) -> None:
        """A worker's life; it leaves when the process that waits for it is gone."""
        try:
            for number in self.alone(missing):
                if os.getppid() != parent:
                    os._exit(1)
                results.put(number)
        except KDBenchError as error:
            results.put(error)
        except Exception as error:
            results.put(
                RuntimeError(f"a process that fills the cache failed: {type(error).__name__}: {error}")
            )

    def _collected(self, workers: Sequence[Any], results: Any, count: int) -> Any:
        """Each finished block as it comes; an error of a worker is raised here."""
        while count:
            while results.empty():
                self._check_alive(workers, results)
            found = results.get()
            if isinstance(found, Exception):
                raise found
            count -= 1
            yield found

    @staticmethod
    def _check_alive(workers: Sequence[Any], results: Any) -> None:
        """Wait a moment for any worker to end; one that was killed is an ``InvalidDataError``."""
        workers[0].join(timeout=0.05)
        killed = [worker.exitcode for worker in workers if worker.exitcode]
        if killed and results.empty():
            raise InvalidDataError(
                f"a process that fills the cache died (exit code {killed[0]}); the same command goes on"
            )
