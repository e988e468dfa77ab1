"""Virtual views of UTD-MHAD: several actions of one subject in a row, seen by turned cameras that overlap in part.

There is one depth camera in the recordings: what other cameras see is its 2.5-D surface turned about the vertical axis
and seen orthographically, with holes where the camera saw nothing. Each action stands at a place of its own, so that
most frames show the person in one or two views only. The protocol is ours; nothing is published on it.

Shapes: N sequences of A actions, T frames, V views, H rows, W columns, S inertial samples a frame.
"""

import hashlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..registry import DATASETS, near
from ..spec import MULTI_LABEL, DataSpec, InvalidDataError
from .base import ClipDataset, Draw, Sample, Transform, generator
from .depth_rendering import WINDOW
from .utd_mhad import (
    CLASSES,
    INERTIAL_SAMPLES,
    STREAMS,
    all_clips,
    data_folder,
    depth_views,
    place_in_subject,
    read_streams,
    select,
)
from .utd_mhad_depth import FRAMES, SIZE, Rendering, turned

ANGLES = (-45.0, 0.0, 45.0)  # degrees
REACH, FIELD_OF_VIEW = 2.0, 1.8  # metres
ACTIONS, ACTION_FRAMES = 3, 8
PIXELS = SIZE / WINDOW  # a metre
CENTRAL = 0.6  # metres: in at least one view an action stands no further from the centre
MIN_VISIBLE_SHARE = 0.25  # of the person's pixels
VARIANTS = 4
MODALITIES = ("depth", "inertial")
FIELDS = ("visible", "mask")
SUPERVISION = ("frame", "sequence")
SEQUENCES = "ee87f68b99ae903e14679a8340ea51e8a03044d2fc2af95a7a59122c21a9778a"  # of make_sequences()
_VARIATION = 1 << 32  # the random stream of what varies, far from those of the transforms


class Sequences(NamedTuple):
    """Which clips follow each other and where: rows of ``all_clips()`` ``(N, A)``, and X, Z ``(N, A, 2)`` in mm."""

    clips: np.ndarray
    places: np.ndarray

    @property
    def sha256(self) -> str:
        """The hash of clips and places, in hexadecimal."""
        return hashlib.sha256(b"".join(part.astype("<i4").tobytes() for part in self)).hexdigest()


def rendering(angles: Sequence[float] = ANGLES) -> Rendering:
    """The square pictures of these cameras, wider than what a view shows."""
    return turned(angles)


def offsets(places: np.ndarray, angles: Sequence[float]) -> np.ndarray:
    """How far right of its centre each view sees places ``(..., 2)``: ``X cos a + Z sin a``, ``(..., V)``.

    >>> offsets(np.array([1.0, 0.5]), (0.0, 90.0)).round(6)
    array([1. , 0.5])
    """
    turns = np.radians(angles)
    return places @ np.stack((np.cos(turns), np.sin(turns)))


def make_sequences(angles: Sequence[float] = ANGLES, reach: float = REACH, seed: int = 0) -> Sequences:
    """A sequence for each of the 861 clips: it and two other actions of its subject, in random order and places.

    X and Z are uniform within ``reach`` metres, drawn again until one view sees the action within 0.6 m of its centre.
    A sequence depends on ``seed`` and its clip alone, so that it is the same in every split and protocol that has it.
    Only raw bits of Philox are used, which no release of numpy changes.
    """
    clips = all_clips()
    chosen, places = [], []
    for row in range(len(clips.name)):
        numbers = _uniform(seed, row)
        chosen.append(_actions(row, numbers))
        places.append([_place(numbers, angles, reach) for _ in range(ACTIONS)])
    return Sequences(np.array(chosen), np.array(places))


def _uniform(seed: int, row: int) -> Iterator[float]:
    bits = np.random.Philox(key=np.array([seed, row], dtype=np.uint64))
    while True:
        yield (int(bits.random_raw()) >> 11) * 2.0**-53


def _actions(row: int, numbers: Iterator[float]) -> list[int]:
    clips = all_clips()
    own = np.flatnonzero(clips.subject == clips.subject[row])
    found = [row]
    while len(found) < ACTIONS:
        other = int(own[int(next(numbers) * len(own))])
        if clips.label[other] not in clips.label[found]:
            found.append(other)
    turn = int(next(numbers) * ACTIONS)
    return found[turn:] + found[:turn]


def _place(numbers: Iterator[float], angles: Sequence[float], reach: float) -> list[int]:
    """Millimetres, drawn until one view sees them near its centre."""
    while True:
        place = [round(1000 * reach * (2 * next(numbers) - 1)) for _ in range(2)]
        if np.abs(offsets(np.array(place), angles)).min() <= 1000 * CENTRAL:
            return place


def cut(pictures: np.ndarray, shift: int, width: int) -> np.ndarray:
    """What a view of ``width`` columns shows of ``(..., H, W)`` whose middle lies ``shift`` pixels right of its own.

    >>> cut(np.array([[1, 2, 3, 4]]), 1, 4)
    array([[0, 1, 2, 3]])
    """
    seen = np.zeros((*pictures.shape[:-1], width), pictures.dtype)
    first = (
        pictures.shape[-1] // 2 - width // 2 - shift
    )  # the column of the picture that the view begins with
    begin, end = max(first, 0), min(first + width, pictures.shape[-1])
    if begin < end:
        seen[..., begin - first : end - first] = pictures[..., begin:end]
    return seen


@DATASETS.register_module()
class UTDVirtualViews(ClipDataset):
    """Three actions of one subject in a row, in virtual views of their depth and with the inertial sensor.

    ``inputs`` holds what ``modalities`` names:

    - ``depth`` (V, T, 1, H, W) uint8: 0 is background, 128 the person's own distance, 127 steps are 1.5 m nearer;
    - ``inertial`` (T, S, 6) float32: the samples of each frame, acceleration in g and turning rate / 200 deg/s. It is
      worn and belongs to no view.

    ``target`` (27,) and ``frame_target`` (T, 27) are float32 zeros and ones; ``supervision="sequence"`` leaves
    ``frame_target`` out. ``fields`` adds ``visible`` (V, T) bool, whether the view shows at least a quarter of the
    person's pixels, and ``mask`` (V, T, H, W) bool, the pixels that show the person; both are exact.

    ``protocol`` and ``split`` are those of ``UTDMHAD``; ``"three-subject"`` (train 1 3 5, val 7) is for choosing
    settings without the test subjects. ``angles`` (degrees) are the cameras'; ``reach`` (metres) says how far from the
    middle actions stand, ``field_of_view`` (metres) what a view sees: both set how much views overlap. ``vary`` draws
    one of ``variants`` renderings of each action (the first is straight, the others turned, tilted and scaled), and
    one frame of each eighth of it, anew at each draw; else the straight one and the middle frames. Sequences and
    places come from ``seed`` and stay the same; ``sequences`` is the SHA-256 that they must have.

    Renderings are made on first use into ``cache_dir`` (as ``tools/prepare/utd_virtual_views.py`` does faster) and
    memory-mapped. ``root`` holds the files of UTD-MHAD; by default ``$KDBENCH_DATA_ROOT/utd_mhad``.
    """

    def __init__(
        self,
        root: str | Path | None = None,
        split: str = "train",
        protocol: str = "cross-subject",
        modalities: Sequence[str] = MODALITIES,
        fields: Sequence[str] = ("visible",),
        supervision: str = "frame",
        angles: Sequence[float] = ANGLES,
        reach: float = REACH,
        field_of_view: float = FIELD_OF_VIEW,
        vary: bool = False,
        variants: int = VARIANTS,
        seed: int = 0,
        sequences: str | None = None,
        cache_dir: str | Path | None = None,
        transforms: Sequence[dict | Transform] = (),
    ):
        super().__init__(transforms)
        for what, asked, known in (
            ("supervision", [supervision], SUPERVISION),
            ("modality", modalities, MODALITIES),
            ("field", fields, FIELDS),
        ):
            _choose(what, asked, known)
        check_dials(angles, reach, field_of_view, variants)
        self.root = data_folder(root)
        self.rows, _ = select(split, protocol)
        self.split, self.modalities, self.fields, self.supervision = (
            split,
            tuple(modalities),
            tuple(fields),
            supervision,
        )
        self.angles, self.width = tuple(angles), round(field_of_view * PIXELS)
        self.vary, self.variants = vary, variants if vary else 1
        self.sequences = _checked(make_sequences(angles, reach, seed), sequences)
        self._inertial = read_streams(self.root / STREAMS, self.modalities, self.rows).get("inertial")
        self._depth = {}
        if "depth" in self.modalities or self.fields:
            self._depth = depth_views(self.root, self.rows, self.variants, cache_dir, rendering(angles))

    @property
    def metainfo(self) -> dict[str, Any]:
        """The data set's name and class names, for evaluation and reports."""
        return {"dataset": "UTD-MHAD virtual views", "classes": CLASSES}

    @property
    def spec(self) -> DataSpec:
        """The shapes of a sample; ``num_train`` is 0 for the other splits."""
        frames, views, classes = ACTIONS * ACTION_FRAMES, len(self.angles), len(CLASSES)
        inputs = {
            "depth": (views, frames, 1, SIZE, self.width),
            "inertial": (frames, INERTIAL_SAMPLES // ACTION_FRAMES, 6),
        }
        fields = {"visible": (views, frames), "mask": (views, frames, SIZE, self.width)}
        frame_target = {"frame_target": (frames, classes)} if self.supervision == "frame" else {}
        return DataSpec(
            name="UTD-MHAD virtual views",
            inputs={name: inputs[name] for name in self.modalities},
            num_classes=classes,
            task=MULTI_LABEL,
            num_train=len(self) if self.split == "train" else 0,
            fields={"target": (classes,), "index": (), **frame_target, **{n: fields[n] for n in self.fields}},
        )

    @property
    def labels(self) -> np.ndarray:
        """The class of each action, ``(N, A)`` int64."""
        return all_clips().label[self.sequences.clips[self.rows]]

    @property
    def targets(self) -> np.ndarray:
        """The sequence labels ``(N, 27)``, zeros and ones; nothing is rendered."""
        return _one_hot(self.labels).max(axis=1)

    @property
    def subjects(self) -> np.ndarray:
        """Who acts in each sequence, ``(N,)``, 1..8."""
        return all_clips().subject[self.rows]

    def __len__(self) -> int:
        return len(self.rows)

    def load(self, index: int) -> Sample:
        """The straight renderings of the sequence at the middle frame of each eighth of an action."""
        middles = np.tile((np.arange(ACTION_FRAMES) + 0.5) * FRAMES / ACTION_FRAMES, (ACTIONS, 1))
        return self._sequence(index, np.zeros(ACTIONS, dtype=int), middles.astype(int))

    def draw(self, draw: Draw) -> Sample:
        """The sequence with a random rendering of each action and a random frame of each eighth, if data vary."""
        if not self.vary:
            return self.load(draw.index)
        rng = generator(draw, _VARIATION)
        chosen = rng.integers(self.variants, size=ACTIONS)
        moments = np.arange(ACTION_FRAMES) + rng.random((ACTIONS, ACTION_FRAMES))
        return self._sequence(draw.index, chosen, (moments * FRAMES / ACTION_FRAMES).astype(int))

    def full_init(self) -> None:
        """Make the renderings now, if they are wanted and absent. mmengine calls this before workers start."""
        for views in self._depth.values():
            views.views()

    def _sequence(self, index: int, chosen: np.ndarray, moments: np.ndarray) -> Sample:
        """The sequence with these renderings ``(A,)`` of its actions at these frames ``(A, T / A)``."""
        if not 0 <= index < len(self):
            raise IndexError(f"sequence {index}; there is: 0 to {len(self) - 1}")
        labels = np.repeat(_one_hot(self.labels[index]), ACTION_FRAMES, axis=0)
        sample = {"inputs": {}, "target": labels.max(axis=0)}
        if self.supervision == "frame":
            sample["frame_target"] = labels
        if self._depth:
            depth, seen = self._seen(index, chosen, moments)
            found = {"visible": seen, "mask": depth > 0}
            sample.update({name: found[name] for name in self.fields})
        for name in self.modalities:
            sample["inputs"][name] = depth[:, :, None] if name == "depth" else self._worn(index)
        return sample

    def _seen(self, index: int, chosen: np.ndarray, moments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What the views show, ``(V, T, H, W)`` bytes, and where that is enough of the person, ``(V, T)`` bool."""
        row = self.rows[index]
        shifts = np.rint(offsets(self.sequences.places[row] / 1000, self.angles) * PIXELS).astype(int)
        parts, shares = [], []
        for action, clip in enumerate(self.sequences.clips[row]):
            views = self._depth[int(all_clips().subject[clip])].clip(place_in_subject()[clip])
            whole = views[chosen[action]][:, moments[action]]
            part = np.stack(
                [cut(view, shift, self.width) for view, shift in zip(whole, shifts[action], strict=True)]
            )
            present = np.count_nonzero(whole, axis=(2, 3))
            shares.append(np.count_nonzero(part, axis=(2, 3)) / np.maximum(present, 1))
            parts.append(part)
        return np.concatenate(parts, axis=1), np.concatenate(shares, axis=1) >= MIN_VISIBLE_SHARE

    def _worn(self, index: int) -> np.ndarray:
        """The inertial samples of each frame, ``(T, S, 6)``."""
        positions = np.searchsorted(self.rows, self.sequences.clips[self.rows[index]])
        return self._inertial[positions].reshape(ACTIONS * ACTION_FRAMES, -1, 6)


def _one_hot(labels: np.ndarray) -> np.ndarray:
    return np.eye(len(CLASSES), dtype=np.float32)[labels]


def _checked(sequences: Sequences, wanted: str | None) -> Sequences:
    if wanted is not None and sequences.sha256 != wanted:
        raise InvalidDataError(
            f"the sequences wanted have the hash {wanted}; there is: {sequences.sha256}; angles, reach and seed make "
            "them: give those of the hash, or sequences=None for sequences of your own"
        )
    return sequences


def check_dials(
    angles: Sequence[float], reach: float, field_of_view: float = FIELD_OF_VIEW, variants: int = VARIANTS
) -> None:
    """Refuse cameras, places or renderings that make no sequence, as a ``ValueError``."""
    if not angles or not all(map(math.isfinite, angles)):
        raise ValueError(f"angles={tuple(angles)}; there is: one or more, in degrees")
    if not 0 <= reach <= 10:
        raise ValueError(f"reach={reach}; there is: 0 to 10 metres")
    if not 2 / PIXELS <= field_of_view <= WINDOW:
        raise ValueError(f"field_of_view={field_of_view}; there is: {2 / PIXELS} to {WINDOW} metres")
    if variants < 1:
        raise ValueError(f"variants={variants}; there is: 1 and more")


def _choose(what: str, asked: Sequence[str], known: Sequence[str]) -> None:
    for name in asked:
        if name not in known:
            raise ValueError(f"{what} '{name}' is unknown; {near(name, known)}")
