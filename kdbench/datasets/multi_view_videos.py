"""Recordings of several cameras in video files, with sound: what the data sets of that kind share."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..registry import check_known
from ..spec import MULTI_LABEL, DataSpec, InvalidDataError
from .base import ClipDataset, Draw, Sample, Transform, generator, transformed
from .files import default_cache_dir, existing_folder, root_folder
from .media.cache import ArrayCache
from .media.sound import LogMel
from .media.video import VideoInfo, read_frames
from .persons import PersonStore
from .recordings import Problem, Record, Substitutes, annotation_problems, file_problems, heard, opened
from .timeline import frame_labels, num_steps, random_steps, sequence_labels, stride, uniform_steps

MODALITIES = ("rgb", "audio")
FIELDS = ("visible", "mask")
SUPERVISION = ("frame", "sequence")
SAMPLING = ("random", "uniform")
ON_PROBLEM = ("substitute", "fail")
DECODING = 1  # raise when frames are made another way, so that old cache files are not read
_STEPS = 1 << 32  # the random stream that draws them, far from those of the transforms


class View(NamedTuple):
    """One camera of one recording: files, what the video is (None if unusable), every which frame is a step."""

    record: int
    number: int
    video: str
    sound: str
    info: VideoInfo | None
    every: int

    @property
    def steps(self) -> int:
        """The number of its steps."""
        return num_steps(self.info.frames, self.every) if self.info else 0


class MultiViewVideos(ClipDataset):
    """Recordings ``{"inputs": {...}, "target": (K,), **fields}`` of V views and T of their steps.

    ``inputs``: ``rgb`` (V, T, 3, H, W) uint8; ``audio`` (V, T, S, M) float32, the log-mel of the sound from a step to
    the next. ``target`` and, with ``supervision="frame"``, ``frame_target`` (T, K) are zeros and ones. ``fields``, read
    from the store of persons at the same times: ``visible`` (V, T) float32, the detector's score, and ``mask``
    (V, T, h, w) bool. Views are in the order of the cameras.

    A step is every ``round(native rate / fps)``-th frame; a recording is as long as its shortest view. ``sampling`` of
    the T steps is ``"random"`` in training and ``"uniform"`` otherwise (``timeline.py``). Frames are resized to
    ``frame_size`` (one number or height and width), the aspect is not kept, nothing is augmented. ``views`` yields
    only these cameras, counted from 0. ``log_mel`` are arguments of ``LogMel``. ``persons`` names the store below
    ``<root>/persons``, if there are several.

    ``cache`` names the modalities that are kept on disk below ``cache_dir``, at all steps, once they were computed:
    3 H W bytes of frames and some 19 kB of sound for a step of a view.

    ``on_problem="substitute"`` goes on where a record has a defect: a view that is missing or cannot be read whole is
    black, silent and not visible, a track that is missing or silent is zeros, an unknown class and an interval that
    ends before it begins are left out, intervals of one class that overlap are joined, and a recording of which no
    view can be read is replaced by the next. ``substituted`` counts such records, and the log shows it. ``"fail"``
    raises ``InvalidDataError`` at the first. ``verify`` lists all.
    """

    name = "videos"
    remedy = "take the files from their source again"
    substituted_by = ("rgb",)  # a view whose frames cannot be read is silent too

    def __init__(
        self,
        root: Path,
        records: Sequence[Record],
        classes: Sequence[str],
        split: str = "train",
        modalities: Sequence[str] = MODALITIES,
        fields: Sequence[str] = (),
        supervision: str = "sequence",
        num_frames: int = 70,
        fps: float = 2.5,
        frame_size: int | tuple[int, int] = 224,
        sampling: str | None = None,
        views: Sequence[int] | None = None,
        log_mel: Mapping[str, Any] | None = None,
        persons: str | None = None,
        cache: Sequence[str] = MODALITIES,
        cache_dir: str | Path | None = None,
        on_problem: str = "substitute",
        transforms: Sequence[dict | Transform] = (),
    ):
        super().__init__(transforms)
        sampling = sampling or ("random" if split == "train" else "uniform")
        check_known("modality", modalities, MODALITIES)
        check_known("field", fields, FIELDS)
        check_known("supervision", [supervision], SUPERVISION)
        check_known("sampling", [sampling], SAMPLING)
        check_known("on_problem", [on_problem], ON_PROBLEM)
        check_known("cache of", cache, MODALITIES)
        if not modalities:
            raise ValueError(f"no modality was asked for; there is: {', '.join(MODALITIES)}")
        if num_frames < 1 or fps <= 0:
            raise ValueError(f"num_frames={num_frames}, fps={fps}; both are above 0")
        self.root, self.classes, self.split = Path(root), tuple(classes), split
        self.records = [record.only(views) for record in records]
        self.modalities, self.fields, self.supervision = tuple(modalities), tuple(fields), supervision
        self.num_frames, self.fps, self.sampling = num_frames, fps, sampling
        self.size = (frame_size, frame_size) if isinstance(frame_size, int) else tuple(frame_size)
        self.log_mel, self.cache = LogMel(**(log_mel or {})), tuple(cache)
        self.on_problem = on_problem
        self._kept = ArrayCache(Path(cache_dir or default_cache_dir()).expanduser() / "videos")
        self._persons = person_store(self.root, persons) if fields else None
        self._substitutes = Substitutes(len(self.records))
        self._check_records()

    def _check_records(self) -> None:
        if not self.records:
            raise InvalidDataError(
                f"{self.root} lists no recording of the split '{self.split}'; {self.remedy}"
            )
        weak = next((record.name for record in self.records if record.intervals is None), None)
        if self.supervision == "frame" and weak is not None:
            raise ValueError(
                f"frame labels of {weak} were asked for; there is: labels of the whole recording"
            )
        for index, record in enumerate(self.records):
            for problem in annotation_problems(record, self.classes):
                self._report(index, problem)

    @property
    def metainfo(self) -> dict[str, Any]:
        """The data set's name and class names, for evaluation and reports."""
        return {"dataset": self.name, "classes": self.classes}

    @property
    def targets(self) -> np.ndarray:
        """The sequence labels, ``(N, K)`` float32, from the annotation alone."""
        return np.stack([sequence_labels(record.labels, self.classes) for record in self.records])

    @property
    def spec(self) -> DataSpec:
        """The shapes of a sample; ``num_train`` is 0 for the other splits."""
        views, frames, classes = len(self.records[0].videos), self.num_frames, len(self.classes)
        sound = (self.log_mel.hops, self.log_mel.mel_bins)
        inputs = {"rgb": (views, frames, 3, *self.size), "audio": (views, frames, *sound)}
        fields: dict[str, tuple[int, ...]] = {"target": (classes,), "index": ()}
        if self.supervision == "frame":
            fields["frame_target"] = (frames, classes)
        for field in self.fields:
            fields[field] = (views, frames, *self._cells(field))
        return DataSpec(
            name=self.name,
            inputs={name: inputs[name] for name in self.modalities},
            num_classes=classes,
            task=MULTI_LABEL,
            num_train=len(self) if self.split == "train" else 0,
            fields=fields,
        )

    @property
    def substituted(self) -> dict[str, int]:
        """How many records needed a substitute so far, by kind of defect; forked workers count here too."""
        return self._substitutes.counts()

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, item: int | Draw) -> Sample:
        draw = Draw(*item) if isinstance(item, tuple) else Draw(0, 0, int(item))
        rng = generator(draw, _STEPS) if self.sampling == "random" else None
        index, sample = self._sample(draw.index, rng)
        return {**transformed(sample, self.transforms, draw), "index": index}

    def load(self, index: int) -> Sample:
        """The recording at evenly spread steps, before any transform."""
        return self._sample(index, None)[1]

    def verify(self, show: bool = False) -> None:
        """Read the annotation and every file to its end; one ``InvalidDataError`` lists all problems.

        ``show`` draws a progress bar on the standard error.
        """
        found = [problem.message for problem in self.problems(show)]
        if found:
            lines = "".join(f"\n  - {message}" for message in found)
            raise InvalidDataError(
                f"{self.root} has {len(found)} problems in {len(self)} recordings of the split '{self.split}':{lines}"
                f"\n{self.remedy}"
            )

    def problems(self, show: bool = False) -> Iterator[Problem]:
        """All problems of all records, in their order; sound is read if ``modalities`` name it."""
        for record in _tracked(self.records, f"checking {self.root.name}, {self.split}", show):
            yield from annotation_problems(record, self.classes)
            yield from file_problems(record, self.root, "audio" in self.modalities)

    def fill_cache(self, show: bool = False) -> None:
        """Compute all that ``cache`` keeps, rather than when it is first needed; what is there already stays."""
        for index in _tracked(range(len(self)), f"caching {self.root.name}, {self.split}", show):
            self.load(index)

    def _report(self, index: int, problem: Problem) -> None:
        if self.on_problem == "fail":
            raise InvalidDataError(f"{problem.message}; {self.remedy}")
        self._substitutes.add(index, problem)

    def _sample(self, index: int, rng: np.random.Generator | None) -> tuple[int, Sample]:
        """The record at ``index``, or the next one of which a view can be read, and its index."""
        for place in (np.arange(index, index + len(self)) % len(self)).tolist():
            views = self._views(place)
            length = min((view.steps for view in views if view.info), default=0)
            if length:
                return place, self._gathered(self.records[place], views, self._steps(length, rng))
            message = f"{self.records[place].name}: no view can be read"
            self._report(place, Problem("unreadable recording", message))
        raise InvalidDataError(
            f"{self.root}: no recording of the split '{self.split}' can be read; {self.remedy}"
        )

    def _views(self, index: int) -> list[View]:
        record, views = self.records[index], []
        for number, (video, sound) in enumerate(zip(record.videos, record.sounds, strict=True)):
            found = opened(record, number, self.root / video)
            if isinstance(found, Problem):
                self._report(index, found)
                views.append(View(index, number, video, sound, None, 1))
            else:
                views.append(View(index, number, video, sound, found, stride(found.fps, self.fps)))
        return views

    def _steps(self, length: int, rng: np.random.Generator | None) -> np.ndarray:
        if rng is None:
            return uniform_steps(length, self.num_frames)
        return random_steps(length, self.num_frames, rng)

    def _gathered(self, record: Record, views: list[View], steps: np.ndarray) -> Sample:
        inputs: dict[str, np.ndarray] = {}
        if "rgb" in self.modalities:
            inputs["rgb"] = np.zeros((len(views), len(steps), 3, *self.size), dtype=np.uint8)
            views = [self._shown(view, steps, inputs["rgb"][at]) for at, view in enumerate(views)]
        if "audio" in self.modalities:
            inputs["audio"] = np.stack([self._sound(view, steps) for view in views])
        sample: Sample = {"inputs": inputs, "target": sequence_labels(record.labels, self.classes)}
        if self.supervision == "frame":
            sample["frame_target"] = frame_labels(record.intervals or (), self.classes, steps, self.fps)
        for field in self.fields:
            sample[field] = np.stack([self._seen(field, view, steps) for view in views])
        return sample

    def _shown(self, view: View, steps: np.ndarray, into: np.ndarray) -> View:
        """Put the frames of one view into ``(T, 3, H, W)``; the view as it is, or unusable if it cannot be decoded."""
        if view.info is None:
            return view
        try:
            into[:] = self._frames(view, steps)
        except InvalidDataError as error:
            message = f"{self.records[view.record].name}: view {view.number + 1}: {error}"
            self._report(view.record, Problem("unreadable view", message))
            return view._replace(info=None)
        return view

    def _frames(self, view: View, steps: np.ndarray) -> np.ndarray:
        path, every = self.root / view.video, view.every
        if "rgb" not in self.cache:
            return read_frames(path, steps * every, self.size).numpy()
        options, all_steps = ("frames", DECODING, every, self.size), range(0, view.info.frames, every)
        return self._kept.get(path, options, lambda: read_frames(path, all_steps, self.size).numpy())[steps]

    def _sound(self, view: View, steps: np.ndarray) -> np.ndarray:
        """The log-mel of one view, ``(T, S, M)`` float32; zeros if there is nothing to hear."""
        path = self.root / view.sound
        if view.info is None:
            return self.log_mel.silence(len(steps))
        options = ("log-mel", self.log_mel.options, view.steps)
        if "audio" in self.cache and path.is_file():
            real = self._kept.get(path, options, lambda: self._heard(view))
        else:
            real = self._heard(view)
        return self.log_mel.padded(real[steps]) if len(real) else self._unheard(view, len(steps))

    def _heard(self, view: View) -> np.ndarray:
        """The filter banks of all steps of a view; none if there is nothing to hear."""
        sound = heard(self.records[view.record], view.number, self.root / view.sound)
        if isinstance(sound, Problem):
            return np.zeros((0, 0, self.log_mel.mel_bins), dtype=np.float32)
        return self.log_mel.real(sound, view.steps)

    def _unheard(self, view: View, count: int) -> np.ndarray:
        path = self.root / view.sound
        what = "has no sound or is silent" if path.is_file() else "has no file of its sound"
        message = f"{self.records[view.record].name}: view {view.number + 1} {what}, {path}"
        self._report(view.record, Problem("no sound", message))
        return self.log_mel.silence(count)

    def _seen(self, field: str, view: View, steps: np.ndarray) -> np.ndarray:
        """Scores ``(T,)`` float32 or masks ``(T, h, w)`` bool of the persons in one view; none in a black one."""
        if view.info is None:
            return np.zeros((len(steps), *self._cells(field)), dtype=bool if field == "mask" else np.float32)
        seconds = steps * view.every / view.info.fps
        read = self._persons.masks if field == "mask" else self._persons.scores
        return read(view.video, seconds)

    def _cells(self, field: str) -> tuple[int, ...]:
        return self._persons.grid if field == "mask" else ()


def person_store(root: Path, name: str | None) -> PersonStore:
    """The store below ``<root>/persons``, by its name or the only one; without one the error says how to make it."""
    folder = root / "persons"
    known = sorted(path.parent.name for path in folder.glob("*/index.json"))
    chosen = name or (known[0] if len(known) == 1 else None)
    if chosen in known:
        return PersonStore(folder / chosen)
    if name is None and known:
        raise ValueError(f"several detectors have looked at {root}; say persons= one of {', '.join(known)}")
    make = f"python tools/prepare/person_masks.py --detector mmdet --model FILE --root {root}"
    raise InvalidDataError(
        f"person scores were asked for (fields), and {folder / (chosen or '<detector>')} is missing; there is: "
        f"{', '.join(known) or 'nothing'}; run: {make}"
    )


def data_folder(root: str | Path | None, name: str, remedy: str) -> Path:
    """``root``, or ``$KDBENCH_DATA_ROOT/<name>``; it must be a folder. ``remedy`` says how to get the data."""
    problem = f"{name} was not found: neither root nor KDBENCH_DATA_ROOT was given"
    return existing_folder(root_folder(root, name, problem, remedy), remedy)


def _tracked(items: Sequence[Any], description: str, show: bool) -> Iterable[Any]:
    """The items, with a progress bar if that is wanted."""
    if not show:
        return items
    from rich.console import Console
    from rich.progress import track

    return track(items, description=description, console=Console(stderr=True), transient=True)
