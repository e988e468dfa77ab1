"""Samples a second of one process, through dataset, transforms and collation, against training's own appetite."""

import os
import time
from pathlib import Path

import pytest
from torch.utils.data import DataLoader, default_collate

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

ROOT = Path(os.environ.get("KDBENCH_DATA_ROOT", "/nowhere"))
UTD, JPEG_COPY = ROOT / "utd_mhad", ROOT / "cifar10" / "cifar10_train_jpeg.npz"
TRANSFORMS = [AugmentSkeleton(), AugmentInertial(), AugmentDepth()]


def epoch_seconds(dataset, batch_size: int) -> tuple[int, float]:
    """Samples and seconds of one epoch; a first one fills what is cached."""
    loader = DataLoader(
        dataset, batch_size=batch_size, sampler=EpochSampler(dataset, seed=0), collate_fn=default_collate
    )
    for epoch in (0, 1):
        loader.sampler.set_epoch(epoch)
        start = (
            time.process_time()
        )  # of the processor: what else runs on the machine is no cost of the loader
        count = sum(len(batch["index"]) for batch in loader)
        seconds = time.process_time() - start
    return count, seconds


def report(benchmark, title: str, dataset, batch_size: int = 32) -> float:
    """Print, keep and return the throughput."""
    count, seconds = epoch_seconds(dataset, batch_size)
    benchmark.extra_info.update(title=title, samples_per_second=count / seconds)
    print(
        f"\nloader, {title}: {count / seconds:,.0f} samples/s in one process ({1e3 * seconds / count:.3f} ms each)"
    )
    benchmark.pedantic(dataset.__getitem__, args=(0,), rounds=20)
    return count / seconds


@pytest.mark.skipif(not UTD.is_dir(), reason="UTD-MHAD is not under $KDBENCH_DATA_ROOT")
@pytest.mark.parametrize("modality", ["skeleton", "inertial", "depth"])
def test_utd_mhad(benchmark, modality: str) -> None:
    report(benchmark, f"UTD-MHAD {modality}", UTDMHAD(modalities=(modality,), transforms=TRANSFORMS))


@pytest.mark.parametrize("cache", [False, True], ids=["rendered", "cached"])
def test_rooms(benchmark, cache: bool) -> None:
    title = f"Rooms, 3 views of 8 frames with sound, {'cached' if cache else 'rendered'}"
    report(benchmark, title, Rooms(num_clips=128, cache=cache, transforms=[RoomsAugment()]))


@pytest.mark.skipif(
    not JPEG_COPY.is_file(), reason="the JPEG copy of CIFAR-10 is not under $KDBENCH_DATA_ROOT"
)
def test_images(benchmark) -> None:
    plain = CIFAR10JPEG(num_images=20_000, transforms=[AugmentImage()])
    assert report(benchmark, "32 x 32 pictures, crop and mirror", plain, batch_size=64) > 20_000


@pytest.mark.skipif(
    not JPEG_COPY.is_file(), reason="the JPEG copy of CIFAR-10 is not under $KDBENCH_DATA_ROOT"
)
def test_two_views_of_images(benchmark) -> None:
    strong = [AugmentImage(), RandAugment(into="image_strong")]
    report(benchmark, "the same with a strong view", CIFAR10JPEG(num_images=20_000, transforms=strong), 64)
