"""CIFAR-10 and CIFAR-100: 60,000 pictures of 32 x 32 (Krizhevsky, Learning Multiple Layers of Features, 2009).

Both published versions are read, unpacked or as .tar.gz: the binary one, and the pickled one, whose pickles are read
without executing anything. The checksums are those of https://www.cs.toronto.edu/~kriz/cifar.html, and of the files
that the archives hold.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ...registry import DATASETS, near
from ...spec import InvalidDataError
from ..base import Transform
from .archives import Packing, find_packing, read_files, read_pickle
from .base import ImageDataset, data_folder, known_split, select

URL = "https://www.cs.toronto.edu/~kriz"
SPLITS = ("train", "test")
PIXELS = (3, 32, 32)
_BYTES = 3 * 32 * 32

_FINE_NAMES = """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel
    can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur
    dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion
    lizard lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree
    pear pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea
    seal shark shrew skunk skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table
    tank telephone television tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman
    worm
"""
_COARSE_NAMES = """
    aquatic_mammals fish flowers food_containers fruit_and_vegetables household_electrical_devices
    household_furniture insects large_carnivores large_man-made_outdoor_things large_natural_outdoor_scenes
    large_omnivores_and_herbivores medium_mammals non-insect_invertebrates people reptiles small_mammals
    trees vehicles_1 vehicles_2
"""


class _CIFAR(ImageDataset):
    """What both have in common; a subclass says how many label bytes stand before a picture, and which one counts."""

    folder: str  # below $KDBENCH_DATA_ROOT
    packings: Mapping[str, Packing]
    files: Mapping[str, Mapping[str, tuple[str, ...]]]  # by packing and split
    counts: Mapping[str, int] = {"train": 50_000, "test": 10_000}
    label_keys: tuple[str, ...]  # in the pickles, in the order of the label bytes of the binary version

    def __init__(
        self,
        root: str | Path | None = None,
        split: str = "train",
        labelled: Mapping | None = None,
        unlabelled: str = "keep",
        num_images: int | None = None,
        checksum: bool = True,
        transforms: Sequence[dict | Transform] = (),
    ):
        known_split(split, SPLITS)
        images, labels = self._read(data_folder(root, self.folder, self.remedy()), split, checksum)
        rows, targets = select(labels, split == "train", labelled, unlabelled, num_images)
        super().__init__(images if len(rows) == len(images) else images[rows], targets, transforms)

    @classmethod
    def remedy(cls) -> str:
        """How to get the data."""
        archive = next(iter(cls.packings.values())).archive
        folder = f"$KDBENCH_DATA_ROOT/{cls.folder}"
        return f"get it with: mkdir -p {folder} && curl -L {URL}/{archive} | tar xz -C {folder}"

    def _label_key(self) -> str:
        return self.label_keys[-1]

    def _read(self, root: Path, split: str, checksum: bool) -> tuple[np.ndarray, np.ndarray]:
        name, path = find_packing(root, self.packings, self.remedy())
        names = list(self.files[name][split])
        contents = read_files(path, self.packings[name], names, self.remedy(), checksum)
        parse = self._from_binary if name == "binary" else self._from_pickle
        parts = [parse(contents.pop(file), path / file) for file in names]
        images, labels = (np.concatenate(part) for part in zip(*parts, strict=True))
        self._check(path, split, images, labels)
        return images.reshape(-1, *PIXELS), labels.astype(np.int64)

    def _from_binary(self, content: bytes, path: Path) -> tuple[np.ndarray, np.ndarray]:
        width = len(self.label_keys) + _BYTES
        if not content or len(content) % width:
            raise InvalidDataError(
                f"{path} has {len(content)} bytes, which is not a number of records of {width}; {self.remedy()}"
            )
        records = np.frombuffer(content, np.uint8).reshape(-1, width)
        return records[:, -_BYTES:], records[:, self.label_keys.index(self._label_key())]

    def _from_pickle(self, content: bytes, path: Path) -> tuple[np.ndarray, np.ndarray]:
        made, key = read_pickle(content, path, self.remedy()), self._label_key()
        for wanted in ("data", key):
            if wanted not in made:
                raise InvalidDataError(f"{path} has no '{wanted}'; {near(wanted, made)}; {self.remedy()}")
        images, labels = made["data"], np.asarray(made[key])
        if getattr(images, "dtype", None) != np.uint8 or images.shape != (len(labels), _BYTES):
            raise InvalidDataError(
                f"{path}: 'data' is {getattr(images, 'dtype', type(images).__name__)} of shape {np.shape(images)}, "
                f"not bytes of {(len(labels), _BYTES)}; {self.remedy()}"
            )
        return images, labels

    def _check(self, path: Path, split: str, images: np.ndarray, labels: np.ndarray) -> None:
        if len(images) != self.counts[split]:
            raise InvalidDataError(
                f"{path} has {len(images)} pictures to {split}, not {self.counts[split]}; {self.remedy()}"
            )
        if labels.dtype.kind not in "ui" or labels.min() < 0 or labels.max() >= len(self.classes):
            raise InvalidDataError(f"{path} has labels outside 0 to {len(self.classes) - 1}; {self.remedy()}")


@DATASETS.register_module()
class CIFAR10(_CIFAR):
    """CIFAR-10: 10 classes, 50,000 pictures to train and 10,000 to test, ``image`` (3, 32, 32) bytes.

    ``root`` holds ``cifar-10-batches-py/`` or ``cifar-10-batches-bin/``, or one of the two archives; by default
    ``$KDBENCH_DATA_ROOT/cifar10``. ``labelled``, ``dict(fraction=0.25, seed=0)``, says which training images show
    their label; the others have the target -100, or are left out with ``unlabelled="drop"``. ``num_images`` takes so
    many images of the split, evenly spaced. ``checksum=False`` takes files that are not the published ones byte for
    byte; their counts, sizes and labels are verified all the same.
    """

    title, folder = "CIFAR-10", "cifar10"
    classes = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    label_keys = ("labels",)
    files = {
        "python": {"train": tuple(f"data_batch_{i}" for i in range(1, 6)), "test": ("test_batch",)},
        "binary": {"train": tuple(f"data_batch_{i}.bin" for i in range(1, 6)), "test": ("test_batch.bin",)},
    }
    packings = {
        "python": Packing(
            "cifar-10-python.tar.gz",
            "c58f30108f718f92721af3b95e74349a",
            "cifar-10-batches-py",
            {
                "data_batch_1": "c99cafc152244af753f735de768cd75f",
                "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
                "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
                "data_batch_4": "634d18415352ddfa80567beed471001a",
                "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
                "test_batch": "40351d587109b95175f43aff81a1287e",
            },
        ),
        "binary": Packing(
            "cifar-10-binary.tar.gz",
            "c32a1d4ab5d03f1284b67883e8d87530",
            "cifar-10-batches-bin",
            {
                "data_batch_1.bin": "5dd7e06a14cb22eb9f671a540d1b7c25",
                "data_batch_2.bin": "5ea93a67294ea407fff1d09f752e9692",
                "data_batch_3.bin": "942cd6a4bcdd0dd3c604fbe906cb4421",
                "data_batch_4.bin": "ae636b3ba5c66a11e91e8cb52e771fcb",
                "data_batch_5.bin": "53f37980c15c3d472c316c40844f3f0d",
                "test_batch.bin": "803d5f7f4d78ea53de84dbe85f74fb6d",
            },
        ),
    }


@DATASETS.register_module()
class CIFAR100(_CIFAR):
    """CIFAR-100: 100 classes in 20 groups, 50,000 pictures to train and 10,000 to test, ``image`` (3, 32, 32) bytes.

    ``root`` holds ``cifar-100-python/`` or ``cifar-100-binary/``, or one of the two archives; by default
    ``$KDBENCH_DATA_ROOT/cifar100``. ``level`` chooses the classes, ``"fine"`` (100) or ``"coarse"`` (20). The other
    options are those of ``CIFAR10``.
    """

    title, folder = "CIFAR-100", "cifar100"
    label_keys = ("coarse_labels", "fine_labels")
    files = {
        "python": {"train": ("train",), "test": ("test",)},
        "binary": {"train": ("train.bin",), "test": ("test.bin",)},
    }
    packings = {
        "python": Packing(
            "cifar-100-python.tar.gz",
            "eb9058c3a382ffc7106e4002c42a8d85",
            "cifar-100-python",
            {"train": "16019d7e3df5f24257cddd939b257f8d", "test": "f0ef6b0ae62326f3e7ffdfab6717acfc"},
        ),
        "binary": Packing(
            "cifar-100-binary.tar.gz",
            "03b5dce01913d631647c71ecec9e9cb8",
            "cifar-100-binary",
            {"train.bin": "6172c7755cfe09b2fe270c85cebc1b15", "test.bin": "4499cfba6c016c1be1438163640a0898"},
        ),
    }

    def __init__(
        self,
        root: str | Path | None = None,
        split: str = "train",
        labelled: Mapping | None = None,
        unlabelled: str = "keep",
        num_images: int | None = None,
        checksum: bool = True,
        level: str = "fine",
        transforms: Sequence[dict | Transform] = (),
    ):
        if level not in ("fine", "coarse"):
            raise ValueError(f"level='{level}'; there is: coarse, fine")
        self.level = level
        self.classes = tuple((_FINE_NAMES if level == "fine" else _COARSE_NAMES).split())
        super().__init__(root, split, labelled, unlabelled, num_images, checksum, transforms)

    def _label_key(self) -> str:
        return f"{self.level}_labels"
