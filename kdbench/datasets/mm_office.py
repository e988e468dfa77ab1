"""MM-Office: events in an office, four cameras and eight microphones (Yasuda et al., ICASSP 2022).

The files are read as published (Zenodo 6088572). Which recordings there are and how the splits divide them is known
without a file: MultiASL's and MMASL's lists are kept here as numbers of recordings.
"""

import csv
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..registry import DATASETS, near
from ..spec import InvalidDataError
from .multi_view_videos import MODALITIES, MultiViewVideos, data_folder
from .recordings import Record
from .timeline import Interval

# class1 to class12 of eventinfo.csv, by the names of MultiASL's config/config_mm.py.
CLASSES = (
    *("eat", "tele", "chat", "meeting", "takeout", "prepare"),
    *("handout", "enter", "exit", "stand up", "sit down", "phone"),
)
FOLDER = "mm_office"
REMEDY = (
    "get it from https://zenodo.org/records/6088572 (mind its licence), unpack it so that "
    f"$KDBENCH_DATA_ROOT/{FOLDER} has video/, audio/ and label/, and set KDBENCH_DATA_ROOT to the folder above it"
)
CAMERAS, MICROPHONES, DIVISIONS = range(4), range(8), (0, 1)
SOUNDS = ("microphones", "videos")
_NAME = re.compile(r"split\d_id(?P<sensor>\d+)_s\d+_recid(?P<recid>\d+)(?:_(?P<division>[01]))?\.(?:mp4|wav)")
_CLIP = re.compile(r"recid(?P<recid>\d+)_(?P<division>[01])")


def numbers(ranges: str) -> tuple[int, ...]:
    """Numbers as short text.

    >>> numbers("3-5 9")
    (3, 4, 5, 9)
    """
    ends = [(part.split("-")[0], part.split("-")[-1]) for part in ranges.split()]
    return tuple(number for first, last in ends for number in range(int(first), int(last) + 1))


# The recordings whose two halves have labels of the whole clip only (video/train).
WEAK = numbers(
    "0-7 10-17 20-27 30-37 40-47 50-57 60-67 70-77 120 128-129 134-135 141 144 148 160 167-168 174-175 181 184 188 200 "
    "205 208 212 214 216 221 223 240 243 245 252 257 264-265 267 280 282 284 286-287 290 295-296 302 304 306-307 309 "
    "311-312 315 320-327 330-337 360-367 370-377 380-387 390-397 400 402 404 406 408 410 412 414 420 422 424 426 428 "
    "430 432 434 440 442 444 446 448 450 452 454 460 462 464 466 468 470 472 474 480-487 490-497 500-507 510-517 "
    "520-527 530-537 540-547 550-557 560-567 570-577 580-587 590-597 600-607 610-617 620-627 630-637 640-647 650-657 "
    "660-667 670-677"
)
# Those that have onset and offset of each event (video/test), as the authors' testlist.csv names them.
STRONG = numbers(
    "8-9 18-19 28-29 38-39 48-49 58-59 68-69 78-79 154 157 194 197 229 233 272 277 298-299 318-319 328-329 338-339 "
    "368-369 378-379 388-389 398-399 416 418 436 438 456 458 476 478 488-489 498-499 508-509 518-519 528-529 538-539 "
    "548-549 558-559 568-569 578-579 588-589 598-599 608-609 618-619 628-629 638-639 648-649 658-659 668-669 678-679"
)
# What is not trained on, by split; the rest of WEAK is (MultiASL: dataset/MM-Office/split_test.txt, MMASL: dataset/).
HELD_OUT = {
    "multiasl": {
        "test": numbers(
            "10-14 30-34 50-54 70-74 120 128-129 134-135 243 252 264 280 282 284 286-287 320 322 324 331 333 335 "
            "360-364 380-384 420 422 424 426 428 460 462 464 466 468 490-494 510-514 530-534 550-553 560-565 590-593 "
            "600-604 620-624 650-653 670-673"
        ),
    },
    "mmasl": {
        "val": numbers(
            "1-6 20-21 23 40 42 44-45 61 63 65-66 120 128-129 144 240 245 282 284 295 325 332 334 336 360 363-365 381 "
            "384 424 430 468 482 500-501 503-505 522 540 543-545 561 563-566 581 600 602-603 605 622-624 650-653 670 "
            "672-673"
        ),
        "test": numbers(
            "0 22 24-26 41 43 46 60 62 64 134-135 141 257 265 280 286-287 290 321 323 327 330 361-362 380 382-383 385 "
            "420 422 426 428 432 460 462 464 466 470 480-481 483-485 502 520-521 523-525 541-542 560 562 580 582-585 "
            "601 604 620-621 625 654-655 671 674-675"
        ),
    },
}


class Clip(NamedTuple):
    """A recording, or one of its halves."""

    recid: int
    division: int | None

    @property
    def name(self) -> str:
        """As in ``recid010_1``."""
        return f"recid{self.recid:03d}" + ("" if self.division is None else f"_{self.division}")


def split_clips(split: str, protocol: str = "multiasl") -> list[Clip]:
    """The clips of a split, ordered by recording and half; both halves of a recording are in the same split.

    ``"multiasl"`` has 492 to train on and 212 to test; ``"mmasl"`` 424, 140 to validate, 140 to test; both leave out
    the 88 strongly labelled recordings, which are the split ``"strong"``. Needs no file.
    """
    if protocol not in HELD_OUT:
        raise ValueError(f"protocol '{protocol}' is unknown; {near(protocol, HELD_OUT)}")
    held_out = HELD_OUT[protocol]
    if split == "strong":
        return [Clip(recid, None) for recid in STRONG]
    if split not in ("train", *held_out):
        known = ", ".join(("train", *held_out, "strong"))
        raise ValueError(f"protocol '{protocol}' has no split '{split}'; there is: {known}")
    others = {recid for chosen in held_out.values() for recid in chosen}
    recids = held_out.get(split) or [recid for recid in WEAK if recid not in others]
    return [Clip(recid, division) for recid in recids for division in DIVISIONS]


def read_split(path: Path, split: str) -> list[Clip]:
    """The clips that a list names: a line each (``recid010_0``), or MultiASL's ``gt.json`` with the ``subset`` of each.

    Of ``gt.json`` only the weakly labelled halves are read: its times in strongly labelled halves count from the start
    of the recording in some and of the half in others, so those are read from the data set itself.
    """
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            database = json.loads(text)["database"]
            names = [
                name for name, entry in database.items() if entry["subset"] == split and _CLIP.fullmatch(name)
            ]
        else:
            names = text.split()
        found = [_CLIP.fullmatch(name) for name in names]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidDataError(
            f"{path} is no list of clips ({error!r}); take it from its source again"
        ) from error
    if None in found or not found:
        wrong = names[found.index(None)] if found else "nothing"
        raise InvalidDataError(
            f"{path}: '{wrong}' is no clip of the split '{split}'; clips are named as recid010_0"
        )
    return [Clip(int(clip["recid"]), int(clip["division"])) for clip in found]


@DATASETS.register_module()
class MMOffice(MultiViewVideos):
    """Halves of MM-Office's recordings with labels of the whole clip, or whole recordings with labels in time.

    ``root`` holds ``video/``, ``audio/`` and ``label/``; by default ``$KDBENCH_DATA_ROOT/mm_office``. ``protocol`` and
    ``split`` choose the clips (``split_clips``); ``split_file`` is a list of them instead (``read_split``).

    Frame labels exist for the 88 strongly labelled recordings only, which neither protocol uses: with
    ``supervision="frame"`` the training split is these recordings, whole; other splits have no frame labels.

    ``sound="microphones"`` takes the wav files of ``microphones``, one for each camera; which of the eight stands by
    which camera is not written down, so the default is ours. ``sound="videos"`` takes the tracks of the videos, as
    MMASL does. Further arguments: ``MultiViewVideos``; T = 50, 224 x 224 are published.
    """

    name, remedy = "MM-Office", REMEDY

    def __init__(
        self,
        root: str | Path | None = None,
        split: str = "train",
        protocol: str = "multiasl",
        split_file: str | Path | None = None,
        supervision: str = "sequence",
        sound: str = "microphones",
        microphones: Sequence[int] = (0, 2, 4, 6),
        modalities: Sequence[str] = MODALITIES,
        num_frames: int = 50,
        **options: Any,
    ):
        if sound not in SOUNDS:
            raise ValueError(f"sound='{sound}'; there is: {', '.join(SOUNDS)}")
        if len(microphones) != len(CAMERAS) or not set(microphones) <= set(MICROPHONES):
            raise ValueError(f"microphones={tuple(microphones)}; give 4 of 0 to 7, one for each camera")
        if supervision == "frame" and split == "train":
            clips = split_clips("strong", protocol)
        else:
            clips = read_split(Path(split_file), split) if split_file else split_clips(split, protocol)
        root = data_folder(root, FOLDER, REMEDY)
        heard = microphones if sound == "microphones" else None
        records = read_records(root, clips, heard)
        options["supervision"] = supervision if split == "train" else "sequence"
        super().__init__(
            root, records, CLASSES, split=split, modalities=modalities, num_frames=num_frames, **options
        )
        self._recordings = [f"recid{clip.recid:03d}" for clip in clips]

    @property
    def recordings(self) -> list[str]:
        return self._recordings


def read_records(root: Path, clips: Sequence[Clip], microphones: Sequence[int] | None) -> list[Record]:
    """The recordings of these clips, with the files that there are; a sensor without a file lacks its view."""
    stages = {"test" if clip.division is None else "train" for clip in clips}
    files = {key: path for stage in sorted(stages) for key, path in _files(root, stage)}
    weak = _weak_labels(root) if "train" in stages else {}
    return [_record(root, clip, files, weak, microphones) for clip in clips]


def _files(root: Path, stage: str) -> Iterator[tuple[tuple[str, int, Clip], str]]:
    """Every file of a stage by kind, sensor and clip."""
    for kind in ("video", "audio"):
        for path in sorted((root / kind / stage).glob("split*")):
            found = _NAME.fullmatch(path.name)
            if found:
                division = None if stage == "test" else int(found["division"] or 0)
                clip = Clip(int(found["recid"]), division)
                yield (kind, int(found["sensor"]), clip), f"{kind}/{stage}/{path.name}"


def _record(
    root: Path,
    clip: Clip,
    files: dict[tuple[str, int, Clip], str],
    weak: dict[Clip, tuple[str, ...]],
    microphones: Sequence[int] | None,
) -> Record:
    videos = tuple(_file(files, "video", camera, clip) for camera in CAMERAS)
    sounds = tuple(_file(files, "audio", number, clip) for number in microphones or ()) or videos
    if clip.division is None:
        intervals = _events(root / "label" / "testlabel" / f"recid{clip.recid:03d}.csv")
        return Record(clip.name, videos, sounds, tuple(dict.fromkeys(i.label for i in intervals)), intervals)
    if clip not in weak:
        raise InvalidDataError(f"{root}/label/trainlabel has no labels of {clip.name}; {REMEDY}")
    return Record(clip.name, videos, sounds, weak[clip])


def _file(files: dict[tuple[str, int, Clip], str], kind: str, sensor: int, clip: Clip) -> str:
    stage = "test" if clip.division is None else "train"
    ending = "mp4" if kind == "video" else "wav"
    unknown = f"{kind}/{stage}/split*_id{sensor:02d}_s*_{clip.name}.{ending}"
    return files.get((kind, sensor, clip), unknown)


def _weak_labels(root: Path) -> dict[Clip, tuple[str, ...]]:
    """The classes of each half: its recording's scene and pattern, then the row of these with the same division."""
    folder = root / "label" / "trainlabel"
    columns = [f"class{number}" for number in range(1, len(CLASSES) + 1)]
    events = {
        (row["sceneid"], row["patternid"], row["division"]): tuple(
            label for label, column in zip(CLASSES, columns, strict=True) if int(row[column])
        )
        for row in _rows(folder / "eventinfo.csv", ("sceneid", "patternid", "division", *columns))
    }
    return {
        Clip(row["recid"], division): events[row["sceneid"], row["patternid"], division]
        for row in _rows(folder / "recinfo.csv", ("recid", "sceneid", "patternid"))
        for division in DIVISIONS
        if (row["sceneid"], row["patternid"], division) in events
    }


def _events(path: Path) -> tuple[Interval, ...]:
    """What happens in a strongly labelled recording; classes count from 1, and 0 or less is background."""
    found = []
    for row in _rows(path, ("eventclass", "starttime", "endtime")):
        number = int(row["eventclass"])
        if number >= 1:
            label = CLASSES[number - 1] if number <= len(CLASSES) else f"class{number}"
            found.append(Interval(label, float(row["starttime"]), float(row["endtime"])))
    return tuple(found)


def _rows(path: Path, columns: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of a table, its columns by name and all of them numbers."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return [{name: _number(row[name]) for name in columns} for row in csv.DictReader(file)]
    except FileNotFoundError:
        raise InvalidDataError(f"{path} is missing; {REMEDY}") from None
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidDataError(
            f"{path} is no table of the numbers {', '.join(columns)} ({error!r}); take it from its source again"
        ) from error


def _number(text: str) -> float | int:
    value = float(text)
    return int(value) if value.is_integer() else value
