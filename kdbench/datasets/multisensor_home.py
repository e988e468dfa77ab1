"""MultiSensor-Home: untrimmed daily life in two homes, five cameras with sound each (Nguyen et al., FG 2025).

The files are read as published on the Hugging Face hub. What is written nowhere else (the classes of Home2, how many
recordings there are) is read from the annotation.
"""

import json
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..registry import DATASETS, near
from ..spec import InvalidDataError
from .multi_view_videos import MODALITIES, MultiViewVideos, data_folder
from .recordings import Record
from .timeline import Interval

# The order of MultiTSF's config/config_mm.py.
HOME1_CLASSES = (
    *("AdjustAC", "Clean", "CleanVacuum", "CloseCurtain", "Drink", "Eat", "Enter", "Exit", "OpenCurtain"),
    *("ReadBook", "Sitdown", "Standup", "TurnOffLamp", "TurnOnLamp", "UseLaptop", "UsePhone"),
)
SPLITS = ("train", "test")
FOLDERS = {1: "multisensor_home1", 2: "multisensor_home2"}
_ALL_LABELS = "all_labels.json"
_URL = "video_url_"
_PART = re.compile(r"-Part\d+$")  # what a file name says beside session and recording


def remedy(home: int) -> str:
    """How to get the data of a home."""
    name, folder = f"MultiSensor-Home{home}", f"$KDBENCH_DATA_ROOT/{FOLDERS[home]}"
    unpack = f' && unzip -q "{folder}/*.zip" -d {folder}' if home == 2 else ""
    return (
        "get it, then set KDBENCH_DATA_ROOT to the folder above it: "
        f"hf download thanhhff/{name} --repo-type dataset --local-dir {folder}{unpack}"
    )


@DATASETS.register_module()
class MultiSensorHome(MultiViewVideos):
    """Home1 or Home2 of MultiSensor-Home: 5 views of 320 x 240 with sound, actions by start and end.

    ``root`` holds ``train.json`` and ``test.json`` (Home1) or ``train_data.json`` and ``test_data.json`` (Home2), and
    the videos at the paths that these name, themselves or below ``MultiSensor-Home<home>/``, as the archive unpacks;
    by default ``$KDBENCH_DATA_ROOT/multisensor_home<home>``. ``classes`` are by default the 16 of Home1 in the
    published order, and for Home2, where no list is published, all that its annotation names, sorted. All labels of
    an interval count (the authors' loader takes its first). There is no validation split. Further arguments:
    ``MultiViewVideos``; T = 70, 224 x 224 are published.
    """

    def __init__(
        self,
        root: str | Path | None = None,
        split: str = "train",
        home: int = 1,
        classes: Sequence[str] | None = None,
        modalities: Sequence[str] = MODALITIES,
        **options: Any,
    ):
        if home not in FOLDERS:
            raise ValueError(f"home={home}; there is: 1, 2")
        if split not in SPLITS:
            raise ValueError(f"MultiSensor-Home has no split '{split}'; {near(split, SPLITS)}")
        self.name, self.remedy = f"MultiSensor-Home{home}", remedy(home)
        root = data_folder(root, FOLDERS[home], self.remedy)
        annotation = _annotation(root, split, self.remedy)
        records = read_records(annotation, _prefix(root, self.name, annotation))
        classes = tuple(classes or _classes(root, home))
        super().__init__(root, records, classes, split=split, modalities=modalities, **options)

    @property
    def recordings(self) -> list[str]:
        return [_PART.sub("", record.name) for record in self.records]

    @staticmethod
    def promises(
        root: str | Path | None = None, home: int = 1, classes: Sequence[str] | None = None, **_: Any
    ) -> dict[str, int]:
        """How many recordings there are to train on, and how many classes; nothing where the files are absent."""
        try:
            root = data_folder(root, FOLDERS[home], remedy(home))
            num_train = len(read_records(_annotation(root, "train", remedy(home))))
            return {"num_train": num_train, "num_classes": len(classes or _classes(root, home))}
        except InvalidDataError:
            return {}


def _classes(root: Path, home: int) -> tuple[str, ...]:
    return HOME1_CLASSES if home == 1 else named_classes(root)


def named_classes(root: Path) -> tuple[str, ...]:
    """All classes that the annotation of Home2 names in both splits, sorted."""
    path = root / _ALL_LABELS
    paths = [path] if path.is_file() else [_annotation(root, split, remedy(2)) for split in SPLITS]
    records = [record for path in paths for record in read_records(path)]
    return tuple(sorted({label for record in records for label in record.labels}))


def read_records(path: Path, prefix: str = "") -> list[Record]:
    """The recordings of an annotation file; ``prefix`` is the folder, below the root, that its paths start from.

    A recording has as many views as the one with most; one that does not name a view lacks it.
    """
    entries = _read_list(path)
    numbers = sorted({number for _, entry in entries for number in _urls(entry)})
    return [_record(path, place, entry, numbers, prefix) for place, entry in entries]


def _read_list(path: Path) -> list[tuple[int, dict[str, Any]]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InvalidDataError(f"{path} is missing") from None
    except ValueError as error:
        raise InvalidDataError(
            f"{path} is truncated or damaged ({error}); take it from its source again"
        ) from error
    if not isinstance(content, list) or not all(
        isinstance(entry, dict) and _urls(entry) for entry in content
    ):
        raise InvalidDataError(f"{path} is no list of recordings with {_URL}1, {_URL}2 ...")
    return list(enumerate(content))


def _urls(entry: dict[str, Any]) -> dict[int, str]:
    """Path of each view by its number."""
    found = {key.removeprefix(_URL): value for key, value in entry.items() if key.startswith(_URL)}
    return {
        int(number): value for number, value in found.items() if number.isdigit() and isinstance(value, str)
    }


def _record(path: Path, place: int, entry: dict[str, Any], numbers: list[int], prefix: str) -> Record:
    urls = _urls(entry)
    first = Path(next(iter(urls.values())))
    videos = tuple(f"{prefix}{urls.get(number, f'({_URL}{number} is not given)')}" for number in numbers)
    try:
        intervals = tuple(_intervals(entry.get("tricks") or ()))
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidDataError(
            f"{path}: recording {place} ({first}) has an action without start, end and labels ({error!r}); "
            "take the file from its source again"
        ) from error
    # Sessions count their recordings anew, so a name has the session in it.
    name = f"{first.parent}/{'-'.join(part for part in first.stem.split('-') if not part.startswith('View'))}"
    return Record(name, videos, videos, tuple(dict.fromkeys(i.label for i in intervals)), intervals)


def _intervals(actions: Sequence[dict[str, Any]]) -> Iterator[Interval]:
    for action in actions:
        start, end = float(action["start"]), float(action["end"])
        if math.isnan(start) or math.isnan(end):
            raise ValueError("not a number")
        for label in action["labels"]:
            yield Interval(str(label), start, end)


def _annotation(root: Path, split: str, remedy: str) -> Path:
    names = (f"{split}.json", f"{split}_data.json")
    found = next((root / name for name in names if (root / name).is_file()), None)
    if found is None:
        raise InvalidDataError(f"{root} has neither {names[0]} nor {names[1]}; {remedy}")
    return found


def _prefix(root: Path, archive: str, path: Path) -> str:
    """Where the paths of an annotation start: the root, or the folder that the archive unpacks to."""
    videos = [video for record in read_records(path)[:1] for video in record.videos]
    is_nested = (root / archive).is_dir() and not any((root / video).is_file() for video in videos)
    return f"{archive}/" if is_nested else ""
