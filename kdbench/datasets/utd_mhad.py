"""UTD-MHAD: 27 actions of 8 subjects by Kinect and one inertial sensor (Chen et al., ICIP 2015).

861 clips with skeleton, inertial and depth recordings; the files are those that ``tools/prepare/utd_mhad.py`` makes.
Everything but the recordings themselves (which clips there are, splits, labels) is known without a file, so configs
can be checked where the data are absent.
"""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..registry import DATASETS, near
from ..spec import DataSpec, InvalidDataError
from .base import ClipDataset, Draw, Sample, Transform, built_transforms, transformed
from .files import check_finite, default_cache_dir, existing_folder, read_npz, root_folder
from .labels import with_labels
from .transforms.inertial import scaled_inertial
from .transforms.skeleton import canonical_skeleton
from .transforms.time import resample
from .utd_mhad_depth import FRONT, DepthViews, Rendering, turned

_CLASS_NAMES = """
    swipe_left swipe_right wave clap throw arm_cross basketball_shoot draw_x draw_circle_cw draw_circle_ccw
    draw_triangle bowling boxing baseball_swing tennis_swing arm_curl tennis_serve push knock catch pickup_throw
    jog walk sit2stand stand2sit lunge squat
"""
CLASSES = tuple(_CLASS_NAMES.split())
SUBJECTS = tuple(range(1, 9))
TRIALS = (1, 2, 3, 4)
ABSENT = ("a8_s1_t4", "a23_s6_t4", "a27_s8_t4")  # clips that the authors left out
PROTOCOLS = {
    "cross-subject": {"train": (1, 3, 5, 7), "test": (2, 4, 6, 8)},
    "three-subject": {"train": (1, 3, 5), "val": (7,), "test": (2, 4, 6, 8)},
}
MODALITIES = ("skeleton", "inertial", "depth")
# Parent of each joint: head, shoulder centre, spine, hip centre, arms (shoulder elbow wrist hand), legs (hip ... foot).
PARENTS = (1, 2, 3, 3, 1, 4, 5, 6, 1, 8, 9, 10, 3, 12, 13, 14, 3, 16, 17, 18)
HIP_CENTRE, SHOULDER_CENTRE, LEFT, RIGHT = 3, 1, (4, 12), (8, 16)
SKELETON_FRAMES, INERTIAL_SAMPLES = 96, 192  # length of the clips that are kept in memory
STREAMS = "utd_mhad_skeleton_inertial.npz"
REMEDY = (
    "make it again with tools/prepare/utd_mhad.py, or set KDBENCH_DATA_ROOT to the folder that has utd_mhad/"
)


class Clips(NamedTuple):
    """A table of clips, one row each: ``name``, ``label`` 0..26, ``subject`` 1..8, ``trial`` 1..4."""

    name: np.ndarray
    label: np.ndarray
    subject: np.ndarray
    trial: np.ndarray


@functools.cache
def all_clips() -> Clips:
    """The 861 clips, ordered by action, subject, trial."""
    grid = np.stack(np.meshgrid(range(len(CLASSES)), SUBJECTS, TRIALS, indexing="ij"), axis=-1).reshape(-1, 3)
    names = np.array([f"a{action + 1}_s{subject}_t{trial}" for action, subject, trial in grid])
    there = ~np.isin(names, ABSENT)
    return Clips(names[there], *grid[there].T)


def split_subjects(split: str, protocol: str, train_subjects: Sequence[int] | None = None) -> tuple[int, ...]:
    """The subjects of a split; ``train_subjects`` narrows training to some of its subjects."""
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol '{protocol}' is unknown; {near(protocol, PROTOCOLS)}")
    splits = PROTOCOLS[protocol]
    if split not in splits:
        raise ValueError(f"protocol '{protocol}' has no split '{split}'; there is: {', '.join(splits)}")
    if train_subjects is None or split != "train":
        return splits[split]
    if not train_subjects or not set(train_subjects) <= set(splits["train"]):
        raise ValueError(
            f"train_subjects={tuple(train_subjects)}; protocol '{protocol}' trains on {splits['train']}"
        )
    return tuple(train_subjects)


def select(
    split: str,
    protocol: str = "cross-subject",
    train_subjects: Sequence[int] | None = None,
    labelled: Mapping | None = None,
    unlabelled: str = "keep",
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of ``all_clips()`` that make a split, and their targets; both ``(N,)`` int64. Needs no file."""
    clips = all_clips()
    rows = np.flatnonzero(np.isin(clips.subject, split_subjects(split, protocol, train_subjects)))
    rule = labelled if split == "train" else None  # only training clips lose their label
    return with_labels(rule, unlabelled, rows, clips.label, clips.subject)


def checked_modalities(modalities: Sequence[str]) -> tuple[str, ...]:
    """The modalities, each of which UTD-MHAD has."""
    for modality in modalities:
        if modality not in MODALITIES:
            raise ValueError(f"UTD-MHAD has no modality '{modality}'; {near(modality, MODALITIES)}")
    if not modalities:
        raise ValueError(f"no modality was asked for; there is: {', '.join(MODALITIES)}")
    return tuple(modalities)


def data_folder(root: str | Path | None) -> Path:
    """``root``, or ``$KDBENCH_DATA_ROOT/utd_mhad``; it must be a folder."""
    found = root_folder(root, "utd_mhad", "UTD-MHAD was not found: no root was given", REMEDY)
    return existing_folder(found, REMEDY)


@functools.cache
def place_in_subject() -> np.ndarray:
    """For each row of ``all_clips()``, its position among the clips of its subject, ``(861,)``."""
    subject = all_clips().subject
    place = np.empty(len(subject), dtype=np.int64)
    for number in SUBJECTS:
        rows = np.flatnonzero(subject == number)
        place[rows] = np.arange(len(rows))
    return place


def canonical(clip: np.ndarray) -> np.ndarray:
    """A recorded skeleton, ``(T, 20, 3)`` metres, in canonical pose at 96 frames."""
    return resample(canonical_skeleton(clip, HIP_CENTRE, SHOULDER_CENTRE, LEFT, RIGHT), SKELETON_FRAMES)


def read_streams(path: Path, modalities: Sequence[str], rows: np.ndarray) -> dict[str, np.ndarray]:
    """Skeleton and inertial clips of ``rows`` at their common lengths, as far as they are wanted.

    The file is checked whole: its list of clips, its lengths, that every number is finite.
    """
    wanted = [name for name in ("skeleton", "inertial") if name in modalities]
    if not wanted:
        return {}
    arrays = read_npz(path, ("name", *wanted, *(f"{name}_length" for name in wanted)), REMEDY)
    names = all_clips().name
    if arrays["name"].tolist() != names.tolist():
        absent = np.setdiff1d(names, arrays["name"])
        raise InvalidDataError(
            f"{path} holds {len(arrays['name'])} clips, not the {len(names)} of UTD-MHAD in their order"
            f"{f' (first absent: {absent[0]})' if len(absent) else ''}; {REMEDY}"
        )
    ready = {
        "skeleton": canonical,
        "inertial": lambda clip: resample(scaled_inertial(clip), INERTIAL_SAMPLES),
    }
    return {
        name: np.stack([ready[name](clip) for clip in _cut(path, name, arrays, rows)]).astype(np.float32)
        for name in wanted
    }


def _cut(path: Path, stream: str, arrays: Mapping[str, np.ndarray], rows: np.ndarray) -> list[np.ndarray]:
    values, lengths = arrays[stream], arrays[f"{stream}_length"]
    ends = np.cumsum(lengths)
    if len(lengths) != len(arrays["name"]) or ends[-1] != len(values) or lengths.min() < 1:
        raise InvalidDataError(
            f"{path}: {stream} holds {len(values)} frames for {len(lengths)} clips whose lengths add up to {ends[-1]};"
            f" {REMEDY}"
        )
    check_finite(path, stream, values, lengths, arrays["name"])
    return [values[ends[row] - lengths[row] : ends[row]] for row in rows]


def depth_views(
    root: Path,
    rows: np.ndarray,
    variants: int,
    cache_dir: str | Path | None = None,
    rendering: Rendering = FRONT,
) -> dict[int, DepthViews]:
    """The rendered depth of each subject that has clips among ``rows``; nothing is rendered yet."""
    clips, made = all_clips(), {}
    for subject in np.unique(clips.subject[rows]).tolist():
        source = root / f"depth_s{subject}.npz"
        if not source.is_file():
            raise InvalidDataError(f"{source} is missing; {REMEDY}")
        names = clips.name[clips.subject == subject].tolist()
        folder = Path(cache_dir or default_cache_dir())
        made[subject] = DepthViews(source, subject, names, folder, variants, REMEDY, rendering)
    return made


@DATASETS.register_module()
class UTDMHAD(ClipDataset):
    """Clips of UTD-MHAD as ``{"inputs": {modality: clip}, "target": class or -100, "index": position in the split}``.

    Before transforms a clip is: ``skeleton`` (96, 20, 3) float32, a canonical pose in torso lengths; ``inertial``
    (192, 6) float32, acceleration in g and turning rate / 200 deg/s; ``depth`` a tuple of renderings,
    (32, 64, 48) bytes each, front views of which the first is straight, made on first use into ``cache_dir`` and
    memory-mapped. With ``depth_angles``, degrees about the vertical axis, a rendering is (V, 32, 48, 48), a virtual
    view an angle: what the one camera saw, turned, with holes where it saw nothing.

    ``root`` holds the files; by default ``$KDBENCH_DATA_ROOT/utd_mhad``. ``protocol`` is ``"cross-subject"`` (train 1
    3 5 7, test 2 4 6 8) or ``"three-subject"`` (train 1 3 5, val 7, test 2 4 6 8); ``train_subjects`` narrows
    training, as for a teacher that may see two subjects only. ``labelled``, ``dict(fraction=0.25, seed=0)`` or
    ``dict(subjects=(1, 3))``, says which training clips show their label; the others have the target -100, or are
    left out with ``unlabelled="drop"``. ``depth_variants`` renderings of each training clip are made; other splits
    have one. The last four options change training only, so that one set of them serves every split.
    """

    def __init__(
        self,
        root: str | Path | None = None,
        split: str = "train",
        protocol: str = "cross-subject",
        modalities: Sequence[str] = MODALITIES,
        train_subjects: Sequence[int] | None = None,
        labelled: Mapping | None = None,
        unlabelled: str = "keep",
        depth_variants: int = 4,
        depth_angles: Sequence[float] = (),
        cache_dir: str | Path | None = None,
        transforms: Sequence[dict | Transform] = (),
    ):
        super().__init__(transforms)
        self.modalities = checked_modalities(modalities)
        self.root = data_folder(root)
        self.rows, self._targets = select(split, protocol, train_subjects, labelled, unlabelled)
        self.variants = depth_variants if split == "train" else 1
        self._streams = read_streams(self.root / STREAMS, self.modalities, self.rows)
        if "depth" in self.modalities:
            how = turned(depth_angles) if depth_angles else FRONT
            self._depth = depth_views(self.root, self.rows, self.variants, cache_dir, how)

    @property
    def metainfo(self) -> dict[str, Any]:
        """The data set's name and class names, for evaluation and reports."""
        return {"dataset": "UTD-MHAD", "classes": CLASSES}

    @property
    def targets(self) -> np.ndarray:
        """Class of each clip, ``(N,)`` int64; -100 where the label may not be used."""
        return self._targets

    @property
    def clips(self) -> Clips:
        """Name, true label, subject and trial of each clip, for analysis; training reads ``targets`` only."""
        return Clips(*(column[self.rows] for column in all_clips()))

    @property
    def subjects(self) -> np.ndarray:
        """Who acts in each clip, ``(N,)``, 1..8."""
        return self.clips.subject

    def __len__(self) -> int:
        return len(self.rows)

    def load(self, index: int) -> Sample:
        """The clip at ``index`` before any transform."""
        inputs = {name: stream[index] for name, stream in self._streams.items()}
        if "depth" in self.modalities:
            row = self.rows[index]
            inputs["depth"] = self._depth[int(all_clips().subject[row])].clip(place_in_subject()[row])
        return {"inputs": inputs, "target": int(self._targets[index])}

    def full_init(self) -> None:
        """Make the depth cache now, if it is wanted and absent. mmengine calls this before workers start."""
        if "depth" in self.modalities:
            for views in self._depth.values():
                views.views()


def data_spec(
    modalities: Sequence[str] = MODALITIES,
    transforms: Sequence[dict | Transform] = (),
    split: str = "train",
    root: str | Path | None = None,
    depth_variants: int = 4,
    depth_angles: Sequence[float] = (),
    cache_dir: str | Path | None = None,
    **selection: Any,
) -> DataSpec:
    """What ``UTDMHAD`` with the same arguments promises; reads no file, so it works where the data are absent.

    Shapes are those that the transforms make of blank clips. ``num_train`` is that of the training split, whatever
    ``split`` is.
    """
    variants = depth_variants if split == "train" else 1
    how = turned(depth_angles) if depth_angles else FRONT
    blank = {
        "skeleton": np.zeros((SKELETON_FRAMES, len(PARENTS), 3), dtype=np.float32),
        "inertial": np.zeros((INERTIAL_SAMPLES, 6), dtype=np.float32),
        "depth": (np.zeros(how.shape, dtype=np.uint8),) * variants,
    }
    sample = {"inputs": {name: blank[name] for name in checked_modalities(modalities)}}
    inputs = transformed(sample, built_transforms(transforms), Draw(0, 0, 0))["inputs"]
    return DataSpec(
        name="UTD-MHAD",
        inputs={name: np.shape(clip) for name, clip in inputs.items()},
        num_classes=len(CLASSES),
        num_train=len(select("train", **selection)[0]),
    )
