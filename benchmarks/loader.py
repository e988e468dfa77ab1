"""An epoch through our loader over one by a bare ``DataLoader`` of the same decoded clips, in one process.

The bound has samples ready in a list: what is above it is decoding or rendering, transforms, and the random stream of
each sample. The first line has no transforms and nothing to decode: it is the loader itself.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from torch.utils.data import DataLoader, RandomSampler, default_collate

from kdbench.datasets import (
    CIFAR10JPEG,
    UTDMHAD,
    AugmentDepth,
    AugmentImage,
    AugmentInertial,
    AugmentSkeleton,
    EpochSampler,
    RandAugment,
    Rooms,
    RoomsAugment,
)

from .cohort import Clips
from .figures import Figure, Figures, cost
from .interleaved import interleaved

ROOT = Path(os.environ.get("KDBENCH_DATA_ROOT", "/nowhere"))
UTD, JPEG_COPY = ROOT / "utd_mhad", ROOT / "cifar10" / "cifar10_train_jpeg.npz"
TRANSFORMS = [AugmentSkeleton(), AugmentInertial(), AugmentDepth()]
BATCH, IMAGES, ROOMS = 32, 10_000, 64


def figures(quick: bool) -> Figures:
    """The loader itself, then the data at hand."""
    rounds = 1 if quick else 5
    yield beside_bare("signals in memory", Clips(2048), rounds)
    yield beside_bare("Rooms, 3 views with sound", rooms(True, True), rounds, rooms(True, False))
    if not quick:
        yield beside_bare("Rooms, rendered", rooms(False, True), 3, rooms(True, False))
        yield from recorded(rounds)


def recorded(rounds: int) -> Iterator[Figure | str]:
    """Data that has to be there."""
    if UTD.is_dir():
        for modality in ("skeleton", "inertial", "depth"):
            plain, augmented = (UTDMHAD(modalities=(modality,), transforms=t) for t in ([], TRANSFORMS))
            yield beside_bare(f"UTD-MHAD {modality}, augmented", augmented, rounds, fitting(plain, augmented))
    else:
        yield "UTD-MHAD is not under $KDBENCH_DATA_ROOT"
    if JPEG_COPY.is_file():
        plain = CIFAR10JPEG(num_images=IMAGES)
        for title, transforms in {
            "32 x 32 pictures, crop and mirror": [AugmentImage()],
            "the same with a strong view": [AugmentImage(), RandAugment(into="image_strong")],
        }.items():
            data = CIFAR10JPEG(num_images=IMAGES, transforms=transforms)
            yield beside_bare(title, data, rounds, fitting(plain, data))
    else:
        yield "the JPEG copy of CIFAR-10 is not under $KDBENCH_DATA_ROOT"


def rooms(cache: bool, augment: bool) -> Rooms:
    """A few clips."""
    return Rooms(num_clips=ROOMS, cache=cache, transforms=[RoomsAugment()] if augment else [])


def fitting(plain: Any, augmented: Any) -> Any:
    """``plain`` where its clips are of equal length and can be collated, else what augmentation makes of them."""
    try:
        default_collate([plain[0], plain[1]])
    except RuntimeError:
        return augmented
    return plain


def beside_bare(title: str, data: Any, rounds: int, decoded: Any = None) -> Figure:
    """An epoch of ``data`` over one of its samples, or of those of ``decoded``, out of a list."""
    kept = data if decoded is None else decoded
    ready = [kept[place] for place in range(len(kept))]
    count = len(ready)
    sampler = EpochSampler(data, seed=0)
    ours = DataLoader(data, batch_size=BATCH, sampler=sampler, collate_fn=default_collate)
    bare = DataLoader(ready, batch_size=BATCH, sampler=RandomSampler(ready))
    seconds = interleaved({"ours": epoch(ours), "bare": epoch(bare)}, rounds)
    per_clip = {name: [value / count for value in values] for name, values in seconds.items()}
    return cost(f"{title}, a sample", per_clip, "ours", "bare")


def epoch(loader: DataLoader) -> Callable[[], None]:
    """All of its batches."""

    def run() -> None:
        for _ in loader:
            pass

    return run
