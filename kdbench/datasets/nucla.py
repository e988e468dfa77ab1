"""Northwestern-UCLA Multiview Action 3D: skeletons of 10 actions, 10 subjects, three Kinects (Wang et al., CVPR 2014).

1,484 clips, those of the list that graph networks are compared on. The same episode number in two views is not reliably
the same take, so views are never paired in time.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..registry import DATASETS, check_known, near
from ..spec import InvalidDataError
from .base import ClipDataset, Sample, Transform
from .files import check_finite, read_npz, root_folder
from .labels import with_labels
from .transforms.skeleton import canonical_skeleton

CLASSES = (
    "pick_up_one_hand", "pick_up_two_hands", "drop_trash", "walk_around", "sit_down", "stand_up", "donning",
    "doffing", "throw", "carry",
)  # fmt: skip
ACTIONS = (1, 2, 3, 4, 5, 6, 8, 9, 11, 12)  # their numbers in the authors' file names
VIEWS, SUBJECTS = (1, 2, 3), tuple(range(1, 11))
# Which views, or which subjects, make a split; cross-view is the published protocol, with "val" to choose settings on.
PROTOCOLS: dict[str, tuple[str, dict[str, tuple[int, ...]]]] = {
    "cross-view": ("view", {"train": (1, 2), "test": (3,)}),
    "single-view": ("view", {"train": (1,), "val": (2,), "test": (3,)}),
    "cross-subject": ("subject", {"train": (1, 2, 3, 4, 5), "test": (6, 7, 8, 9, 10)}),
}
MODALITIES = ("skeleton", "view_skeleton", "view_shown")
HIP_CENTRE, SHOULDER_CENTRE, LEFT, RIGHT = 0, 2, (4, 12), (8, 16)
FILE = "nucla_skeleton.npz"
TABLE = ("name", "label", "subject", "episode", "view")
REMEDY = "get it as tools/prepare/README.md says, or set KDBENCH_DATA_ROOT to the folder that has nucla/"


class Clips(NamedTuple):
    """A table of clips, one row each: ``name``, ``label`` 0..9, ``subject`` 1..10, ``episode``, ``view`` 1..3."""

    name: np.ndarray
    label: np.ndarray
    subject: np.ndarray
    episode: np.ndarray
    view: np.ndarray

    def rows(self, where: np.ndarray) -> "Clips":
        """The chosen rows."""
        return Clips(*(column[where] for column in self))


def split_values(split: str, protocol: str) -> tuple[str, tuple[int, ...]]:
    """The column that a protocol splits by, and its values in a split."""
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol '{protocol}' is unknown; {near(protocol, PROTOCOLS)}")
    column, splits = PROTOCOLS[protocol]
    if split not in splits:
        raise ValueError(f"protocol '{protocol}' has no split '{split}'; there is: {', '.join(splits)}")
    return column, splits[split]


def data_file(root: str | Path | None) -> Path:
    """The file in ``root``, or in ``$KDBENCH_DATA_ROOT/nucla``."""
    return root_folder(root, "nucla", "N-UCLA was not found: no root was given", REMEDY) / FILE


def read_clips(path: Path) -> tuple[Clips, list[np.ndarray]]:
    """The table and the recordings, ``(T, 20, 3)`` float32 metres each; the file is checked whole."""
    arrays = read_npz(path, (*TABLE, "skeleton", "length"), REMEDY)
    clips, values, lengths = Clips(*(arrays[name] for name in TABLE)), arrays["skeleton"], arrays["length"]
    ends = np.cumsum(lengths)
    if len(lengths) != len(clips.name) or not len(lengths) or ends[-1] != len(values) or lengths.min() < 1:
        raise InvalidDataError(
            f"{path} holds {len(values)} frames for {len(clips.name)} clips of {len(lengths)} lengths; {REMEDY}"
        )
    check_finite(path, "skeleton", values, lengths, clips.name)
    strange = ~np.isin(clips.view, VIEWS) | ~np.isin(clips.subject, SUBJECTS) | (clips.label >= len(CLASSES))
    if strange.any():
        raise InvalidDataError(
            f"{path}: {clips.name[strange][0]} has a view, subject or label that N-UCLA lacks"
        )
    return clips, np.split(values, ends[:-1])


def canonical(clip: np.ndarray) -> np.ndarray:
    """A recorded skeleton, ``(T, 20, 3)`` metres, in canonical pose."""
    return canonical_skeleton(clip, HIP_CENTRE, SHOULDER_CENTRE, LEFT, RIGHT)


@DATASETS.register_module()
class NUCLA(ClipDataset):
    """Clips of N-UCLA as ``{"inputs": {"skeleton": clip}, "target": class or -100, "index": position in the split}``.

    Before transforms ``skeleton`` is ``(T, 20, 3)`` float32, 1 to 201 frames, a canonical pose in torso lengths that
    keeps the direction of the camera out (``kinect_v1`` is the graph). ``root`` holds ``nucla_skeleton.npz``; by
    default ``$KDBENCH_DATA_ROOT/nucla``. ``protocol`` is ``"cross-view"`` (train 1 2, test 3),
    ``"single-view"`` (train 1, val 2, test 3) or ``"cross-subject"`` (train 1-5, test 6-10); ``labelled`` hides labels
    of training clips and ``unlabelled="drop"`` leaves these out, as in ``UTDMHAD``.

    For a student a view there are two more inputs: ``view_skeleton`` ``(V, T, 20, 3)``, a place for each training view,
    of which a clip takes its own, the others zeros, and ``view_shown`` ``(V,)`` float32, 1 where it stands. So a
    student sees clips of its view alone, and no clip pairs two views. A clip of a view that is not trained on stands in
    every place: each student is asked.
    """

    def __init__(
        self,
        root: str | Path | None = None,
        split: str = "train",
        protocol: str = "cross-view",
        modalities: Sequence[str] = ("skeleton",),
        labelled: Mapping | None = None,
        unlabelled: str = "keep",
        transforms: Sequence[dict | Transform] = (),
    ):
        super().__init__(transforms)
        check_known("modality", modalities, MODALITIES)
        self.modalities = tuple(modalities)
        self._views = self._trained_views(protocol)
        column, values = split_values(split, protocol)
        clips, recordings = read_clips(data_file(root))
        chosen = np.flatnonzero(np.isin(getattr(clips, column), values))
        rule = labelled if split == "train" else None
        chosen, self._targets = with_labels(rule, unlabelled, chosen, clips.label, clips.subject)
        self.clips = clips.rows(chosen)
        self._skeletons = [canonical(recordings[row]) for row in chosen]

    def _trained_views(self, protocol: str) -> tuple[int, ...]:
        """The views that have a student each; a ``ValueError`` if inputs for them are asked for and there are none."""
        column, views = split_values("train", protocol)
        if {*self.modalities} <= {"skeleton"}:
            return ()
        if column != "view" or len(views) < 2:
            raise ValueError(f"protocol '{protocol}' trains on no two views apart; there is: cross-view")
        return views

    @property
    def metainfo(self) -> dict[str, Any]:
        """The data set's name and class names, for evaluation and reports."""
        return {"dataset": "N-UCLA", "classes": CLASSES}

    @property
    def targets(self) -> np.ndarray:
        """Class of each clip, ``(N,)`` int64; -100 where the label may not be used."""
        return self._targets

    @property
    def subjects(self) -> np.ndarray:
        """Who acts in each clip, ``(N,)``, 1..10."""
        return self.clips.subject

    def __len__(self) -> int:
        return len(self._targets)

    def load(self, index: int) -> Sample:
        """The clip at ``index`` before any transform."""
        return {"inputs": {"skeleton": self._skeletons[index]}, "target": int(self._targets[index])}

    def arranged(self, sample: Sample) -> Sample:
        """The clip alone, in the places of the views, or both; so is what transforms add as ``skeleton_...``."""
        clips = sample["inputs"]
        made = {**clips}
        if self._views:
            own = np.isin(self._views, self.clips.view[sample["index"]])
            shown = (own if own.any() else ~own).astype(np.float32)
            made |= {f"view_{name}": shown[:, None, None, None] * clip for name, clip in clips.items()}
            made["view_shown"] = shown
        added = [name for name in made if name.startswith(tuple(f"{asked}_" for asked in self.modalities))]
        return {**sample, "inputs": {name: made[name] for name in (*self.modalities, *added)}}
