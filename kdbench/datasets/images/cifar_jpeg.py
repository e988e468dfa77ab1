"""A JPEG copy of CIFAR-10. Its pictures are not those of CIFAR-10, so it goes by its own name everywhere."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ...registry import DATASETS
from ...spec import InvalidDataError
from ..base import Transform
from ..files import read_npz
from .base import ImageDataset, data_folder, known_split, select
from .cifar import CIFAR10, PIXELS, SPLITS
from .decoding import decode_all

FILES = {split: f"cifar10_{split}_jpeg.npz" for split in SPLITS}
COUNTS = CIFAR10.counts
REMEDY = "make it again with tools/prepare/cifar10_jpeg.py, or set KDBENCH_DATA_ROOT to the folder that has cifar10/"


@DATASETS.register_module()
class CIFAR10JPEG(ImageDataset):
    """The pictures of CIFAR-10 after lossy JPEG compression (about 0.9 kB each), ``image`` (3, 32, 32) bytes.

    Same classes, counts and split as CIFAR-10, another order, and results that lie a little below. For machines that
    have this copy and not the original: numbers on it are numbers on "CIFAR-10 (JPEG copy)".

    ``root`` holds ``cifar10_train_jpeg.npz`` and ``cifar10_test_jpeg.npz``, as ``tools/prepare/cifar10_jpeg.py`` makes
    them; by default ``$KDBENCH_DATA_ROOT/cifar10``. The other options are those of ``CIFAR10``; only the images that
    ``num_images`` asks for are decoded.
    """

    title, classes = "CIFAR-10 (JPEG copy)", CIFAR10.classes

    def __init__(
        self,
        root: str | Path | None = None,
        split: str = "train",
        labelled: Mapping | None = None,
        unlabelled: str = "keep",
        num_images: int | None = None,
        transforms: Sequence[dict | Transform] = (),
    ):
        path = data_folder(root, "cifar10", REMEDY) / FILES[known_split(split, SPLITS)]
        jpeg, ends, labels = read_copy(path, COUNTS[split])
        rows, targets = select(labels, split == "train", labelled, unlabelled, num_images)
        starts = np.concatenate(([0], ends[:-1]))
        images = decode_all(
            [f"{path}: picture {row}" for row in rows],
            lambda index: jpeg[starts[rows[index]] : ends[rows[index]]].tobytes(),
        )
        if images.shape[1:] != PIXELS:
            raise InvalidDataError(f"{path} has pictures of {images.shape[1:]}, not {PIXELS}; {REMEDY}")
        super().__init__(images, targets, transforms)


def read_copy(path: Path, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All JPEG bytes end to end, where each picture ends ``(N,)``, and the labels ``(N,)`` int64, verified."""
    arrays = read_npz(path, ("jpeg", "length", "label", "classes"), REMEDY)
    ends, labels = np.cumsum(arrays["length"], dtype=np.int64), arrays["label"].astype(np.int64)
    if len(labels) != count or len(ends) != count:
        raise InvalidDataError(
            f"{path} has {len(ends)} pictures and {len(labels)} labels, not {count}; {REMEDY}"
        )
    if ends[-1] != len(arrays["jpeg"]) or arrays["length"].min() < 1:
        raise InvalidDataError(
            f"{path} has {len(arrays['jpeg'])} bytes of JPEG; its lengths add up to {ends[-1]}; {REMEDY}"
        )
    if tuple(arrays["classes"]) != CIFAR10.classes or not 0 <= labels.min() <= labels.max() < len(
        CIFAR10.classes
    ):
        raise InvalidDataError(
            f"{path} has other classes than CIFAR-10: {', '.join(arrays['classes'])}; {REMEDY}"
        )
    return arrays["jpeg"], ends, labels
