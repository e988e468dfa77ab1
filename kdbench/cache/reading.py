"""Training with a cache in the teacher's place: the cache is found, compared with the live teacher, and read."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.hooks import Hook

from ..registry import HOOKS
from ..spec import LESSON, Fields, IncompatibleError, KDBenchError
from .book import Book
from .build import build_cache
from .catalogue import find_cache
from .layout import Layout, flat
from .live import Live, needs_of, varies
from .store import Records

HOOK = f"{__name__}.ReadLessons"
SPOT_CHECKED = 8  # records that are computed anew at the start of training
# Of the largest value of a tap: what batches of another size, and rounding to half precision, may change.
TOLERANCE = {"float32": 1e-4, "float16": 2e-3}


class Lessons:
    """What the teacher said of the draws of a training run, read from the whole cache in ``folder``."""

    def __init__(self, folder: str | Path, book: Book, taps: Sequence[str]):
        self.records, self.book, self.taps = Records(folder), book, tuple(taps)
        if len(book) > len(self.records):
            raise IncompatibleError(
                f"the run has {len(book)} draws and {folder} {len(self.records)} records; build the cache of this run"
            )

    def __call__(self, epoch: int, clips: np.ndarray) -> Fields:
        """The teacher's outputs ``(B, ...)`` by tap, in the cache's type, for clips ``(B,)`` in an epoch."""
        return self.records.layout.decode(self.records[self.book.rows(epoch, clips)], self.taps)


@HOOKS.register_module()
class ReadLessons(Hook):
    """Puts into every training batch, as its field ``lesson``, what the teacher said of it, from a cache.

    A batch says which clips it holds (``index``), and the epoch says which draws of them: no more is needed.
    """

    def __init__(self, folder: str, taps: Sequence[str]):
        self.folder, self.taps = folder, taps
        self._lessons: Lessons | None = None

    def before_train(self, runner: Any) -> None:
        loader = runner.train_dataloader
        book = Book(loader.sampler, runner.max_epochs, loader.batch_size, varies(loader.dataset))
        self._lessons = Lessons(self.folder, book, self.taps)

    def before_train_iter(
        self, runner: Any, batch_idx: int, data_batch: dict[str, Any] | None = None
    ) -> None:
        if self._lessons is not None and data_batch is not None:
            data_batch[LESSON] = self._lessons(runner.epoch, data_batch["index"].cpu().numpy())


def attach(config: Any, folder: str | Path, build: bool = False, jobs: int = 1) -> Path:
    """Let a composed row be trained from the cache in ``folder``, and say so in its config; where that cache is.

    ``build`` makes it first if it is not there. A row that cannot be cached, a cache of something else and one that
    the live teacher contradicts are an ``IncompatibleError``, damage is an ``InvalidDataError``.
    """
    taps = needs_of(config).teacher
    live, command = Live(config), build_command(config, folder)
    facts = live.facts()
    if build and not is_there(folder, facts, taps):
        build_cache(live, folder, jobs=jobs, command=command)
    place = find_cache(folder, facts, taps, command)
    lessons = Lessons(place, live.book, live.taps)
    spot_check(lessons, live)
    write_into(config, place, lessons)
    return place


def is_there(folder: str | Path, facts: Mapping[str, Any], taps: Sequence[str]) -> bool:
    """Whether a whole cache of these facts and taps is there."""
    try:
        Records(find_cache(folder, facts, taps, ""))
    except KDBenchError:  # whatever is wrong with it, building says so or mends it
        return False
    return True


def write_into(config: Any, place: Path, lessons: Lessons) -> None:
    """Have the config's model go without a teacher, its batches bring the lessons, and its record tell."""
    manifest, layout = lessons.records.manifest, lessons.records.layout
    config["model"]["cached"] = True
    hook = {"type": HOOK, "folder": str(place), "taps": list(lessons.taps)}
    config["custom_hooks"] = [*(config.get("custom_hooks") or []), hook]
    config["teacher_cache"] = {
        "key": manifest["key"],
        "dtype": layout.dtype,
        "taps": list(lessons.taps),
        "records": len(lessons.records),
        "draws": lessons.book.sampler.draws,
        "top_k": layout.top_k,
        "teacher": manifest["teacher"],
    }


def build_command(config: Mapping[str, Any], folder: str | Path) -> str:
    """The command that builds the cache of a composed row."""
    row = config["row"]
    words = ["python", "tools/cache_teacher.py", "build", str(row["path"])]
    words += [word for slot, part in row["swapped"].items() for word in (f"--{slot}", part)]
    if row["options"]:
        words += ["--cfg-options", *(f"{key}={value}" for key, value in row["options"].items())]
    words += ["--smoke"] if row["smoke"] else []
    return shlex.join([*words, "--seed", str(row["seed"]), "--cache", str(folder)])


def spot_check(lessons: Lessons, live: Live, count: int = SPOT_CHECKED) -> None:
    """Compare some records, chosen by the run's seed, with the live teacher (``IncompatibleError``)."""
    book, layout = live.book, lessons.records.layout
    rng = np.random.default_rng(live.seed)
    rows = np.sort(rng.choice(len(book), min(count, len(book)), replace=False))
    draws = [book.draw(int(row)) for row in rows]
    said = layout.decode(lessons.records[rows], live.taps)
    now = layout.decode(layout.encode(_of_layout(live(draws), layout)), live.taps)
    names = tuple(live.taps)
    before, after = flat(said, names), flat(now, names)
    for name, value in before.items():
        gap = np.abs(value - after[name]).reshape(len(rows), -1).max(axis=1)
        size = max(float(np.abs(after[name]).max()), 1e-6)
        if not (gap <= TOLERANCE[layout.dtype] * size).all():
            draw = draws[int(np.nanargmax(gap))]
            raise IncompatibleError(
                f"{lessons.records.folder} says '{name}' of clip {draw.index} in epoch {draw.epoch} otherwise than "
                f"the live teacher (by {np.nanmax(gap):.3g} of {size:.3g}): the data or a library has changed; delete "
                "that folder and build it again"
            )


def _of_layout(outputs: Mapping[str, np.ndarray], layout: Layout) -> dict[str, np.ndarray]:
    """Outputs with zeros for what the cache holds beside them, which is not compared."""
    count = len(next(iter(outputs.values())))
    return {name: outputs.get(name, np.zeros((count, *shape), "f4")) for name, shape in layout.shapes.items()}
