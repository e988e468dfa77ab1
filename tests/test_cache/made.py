"""A small cache of a teacher that is a formula, so that each record can be told from every other."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kdbench.cache import Book, Layout, Lessons
from kdbench.cache.store import new_manifest
from kdbench.datasets.base import Draw
from kdbench.datasets.sampling import EpochSampler

CLIPS, EPOCHS, BATCH = 200, 6, 16
LAYOUT = Layout({"embedding": (60,), "logits": (20,)}, "float32")


def book() -> Book:
    return Book(EpochSampler(range(CLIPS), seed=1), EPOCHS, BATCH)


def teach(draws: Sequence[Draw]) -> dict[str, np.ndarray]:
    """Numbers that say which draw they belong to."""
    rows = []
    for draw in draws:
        seed = hashlib.sha256(repr(tuple(draw)).encode()).digest()[:8]
        rows.append(np.random.default_rng(int.from_bytes(seed, "little")).normal(size=80).astype("f4"))
    values = np.stack(rows)
    return {"embedding": values[:, :60], "logits": values[:, 60:]}


def manifest(**facts) -> dict:
    content = {"teacher": {"weights": "a"}, "records": {"taps": ["embedding", "logits"]}, **facts}
    about = {"teacher": {"type": "Formula"}, "command": "python tools/cache_teacher.py build ROW"}
    return new_manifest(content, LAYOUT, len(book()), BATCH, **about)


def says_the_truth(folder: Path) -> bool:
    """Read every draw of training; True if each is what the teacher says."""
    read = Lessons(folder, book(), ("logits", "embedding"))
    for epoch in range(EPOCHS):
        for start in range(0, CLIPS, 50):
            clips = np.arange(start, start + 50)
            found, true = read(epoch, clips), teach([Draw(1, epoch, int(clip)) for clip in clips])
            if any(not np.array_equal(found[name].numpy(), true[name]) for name in true):
                return False
    return True
