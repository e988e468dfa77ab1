"""NTU RGB+D 60 and 120 as data sets: skeletons of up to two persons, RGB videos, takes of several cameras."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...registry import DATASETS, check_known
from ...spec import InvalidDataError
from ..base import ClipDataset, Draw, Sample, Transform, generator, transformed
from ..files import existing_folder, root_folder
from ..labels import UNLABELLED, hide_labels, labelled_mask
from ..recordings import Problem, Substitutes
from .names import ACTIONS, Name, groups, in_split, protocol_of
from .persons import pre_normalised
from .store import REMEDY, SkeletonStore
from .videos import Videos

PERSONS, CAMERAS = 2, 3
SHOWN = "view_shown"
ON_PROBLEM = ("substitute", "fail")
_FRAMES = 1 << 32  # the random stream that draws them, far from those of the transforms


class _Takes(ClipDataset):
    """What both data sets share; a take is what one action was filmed as, by one camera or by several."""

    known: tuple[str, ...] = ()
    substituted_by = ("rgb",)  # what is read of these decides which clip and which camera's skeleton there is

    def __init__(
        self,
        root: str | Path | None = None,
        split: str = "train",
        protocol: str = "xsub-60",
        modalities: Sequence[str] = ("skeleton",),
        labelled: Mapping | None = None,
        unlabelled: str = "keep",
        rgb: Mapping[str, Any] | None = None,
        on_problem: str = "substitute",
        transforms: Sequence[dict | Transform] = (),
    ):
        super().__init__(transforms)
        check_known("modality", modalities, self.known)
        check_known("unlabelled", [unlabelled], UNLABELLED)
        check_known("on_problem", [on_problem], ON_PROBLEM)
        if not modalities:
            raise ValueError(f"no modality was asked for; there is: {', '.join(self.known)}")
        self.edition, self.modalities = protocol_of(protocol).edition, tuple(modalities)
        self.on_problem, self._is_random = on_problem, split == "train"
        folder = _folder(root)
        self.store = SkeletonStore(folder)
        self.videos = _videos(folder, rgb or {}) if "rgb" in modalities else None
        self._choose_takes(self._takes(in_split(self.store.names, protocol, split), protocol))
        self._hide(labelled if split == "train" else None, is_dropped=unlabelled == "drop")
        self._substitutes = Substitutes(len(self))

    def _takes(self, names: list[Name], protocol: str) -> list[tuple[Name, ...]]:
        """The cameras of each take."""
        raise NotImplementedError

    def _gathered(self, index: int, rng: np.random.Generator | None) -> dict[str, np.ndarray] | None:
        """The inputs of a take; None where nothing can be read."""
        raise NotImplementedError

    def _choose_takes(self, takes: list[tuple[Name, ...]]) -> None:
        self.takes = takes
        self._labels = np.array([take[0].label for take in takes], np.int64)

    def _hide(self, rule: Mapping | None, is_dropped: bool) -> None:
        """Hide the labels that ``rule`` does not give, or leave out their takes.

        What one camera saw another saw too, so a fraction is one of takes, and all clips of a take show their label.
        """
        _, first, take_of = np.unique(
            [take[0].group for take in self.takes], axis=0, return_index=True, return_inverse=True
        )
        mask = labelled_mask(rule, self._labels[first], self.subjects[first])[take_of.reshape(-1)]
        self._targets = hide_labels(self._labels, mask)
        if is_dropped:
            self._choose_takes([self.takes[place] for place in np.flatnonzero(mask)])
            self._targets = self._targets[mask]

    @property
    def metainfo(self) -> dict[str, Any]:
        """The data set's name, for evaluation and reports; classes are numbered as their authors do."""
        classes = tuple(f"A{action:03}" for action in range(1, ACTIONS[self.edition] + 1))
        return {"dataset": f"NTU RGB+D {self.edition}", "classes": classes}

    @property
    def targets(self) -> np.ndarray:
        """Class of each take, ``(N,)`` int64; -100 where the label may not be used."""
        return self._targets

    @property
    def subjects(self) -> np.ndarray:
        """The performer of each take, ``(N,)``, from 1."""
        return np.array([take[0].performer for take in self.takes], np.int64)

    @property
    def substituted(self) -> dict[str, int]:
        """How many takes needed a substitute so far, by kind of defect; forked workers count here too."""
        return self._substitutes.counts()

    def __len__(self) -> int:
        return len(self.takes)

    def __getitem__(self, item: int | Draw) -> Sample:
        draw = Draw(*item) if isinstance(item, tuple) else Draw(0, 0, int(item))
        index, sample = self._sample(draw.index, generator(draw, _FRAMES) if self._is_random else None)
        return {**transformed(sample, self.transforms, draw), "index": index}

    def load(self, index: int) -> Sample:
        """The take at ``index`` at evenly spread frames, before any transform."""
        return self._sample(index, None)[1]

    def _sample(self, index: int, rng: np.random.Generator | None) -> tuple[int, Sample]:
        """The take at ``index``, or the next one of which a video can be read, and its index."""
        for place in (np.arange(index, index + len(self)) % len(self)).tolist():
            inputs = self._gathered(place, rng)
            if inputs is not None:
                return place, {"inputs": inputs, "target": int(self._targets[place])}
        raise InvalidDataError(f"{self._shown_videos().root}: no video of the split can be read")

    def _skeleton(self, name: Name) -> np.ndarray:
        """The persons of a sample, ``(2, T, 25, 3)``; zeros where there is no second one."""
        found = pre_normalised(self.store.persons(name))
        persons = np.zeros((PERSONS, *found.shape[1:]), np.float32)
        persons[: len(found)] = found
        return persons

    def _frames(self, index: int, name: Name, rng: np.random.Generator | None) -> np.ndarray | None:
        """The frames of a sample; None, counted and named, where its video is missing or damaged."""
        videos = self._shown_videos()
        try:
            return videos.read(name, rng)
        except InvalidDataError as error:
            if self.on_problem == "fail":
                raise
            kind = "missing view" if videos.path(name) is None else "unreadable view"
            self._substitutes.add(index, Problem(kind, str(error)))
            return None

    def _shown_videos(self) -> Videos:
        if self.videos is None:
            raise RuntimeError(f"no videos were opened: 'rgb' is not among the modalities {self.modalities}")
        return self.videos


@DATASETS.register_module()
class NTU(_Takes):
    """Clips of NTU RGB+D: ``{"inputs": {modality: clip}, "target": class or -100, "index": position}``.

    Before transforms ``skeleton`` is ``(2, T, 25, 3)`` float32: the persons in ``pre_normalised`` pose, zeros where
    there is no second one. ``rgb`` is ``(T, 3, H, W)`` bytes, random frames in training, evenly spread ones otherwise;
    ``rgb=dict(...)`` are arguments of ``Videos``, whose ``root`` is ``<root>/rgb`` by default.

    ``root`` holds what ``tools/prepare/ntu.py`` writes; by default ``$KDBENCH_DATA_ROOT/ntu``. Clips are those that
    have a skeleton there, whatever is read, so that rows of all modalities share them; ``names.COUNTS`` are their
    counts in a whole store. ``protocol`` is ``"xsub-60"``, ``"xview-60"``, ``"xsub-120"`` or ``"xset-120"``;
    ``labelled`` hides labels of training clips as in ``UTDMHAD``, subjects being performers and a fraction one of
    takes, whose cameras keep together; ``unlabelled="drop"`` leaves those clips out.

    ``on_problem="substitute"`` puts the next clip into the place of one whose video is missing or damaged, counts it
    (``substituted``) and names it in the log; ``"fail"`` raises ``InvalidDataError`` at the first.
    """

    known = ("skeleton", "rgb")

    @property
    def samples(self) -> list[Name]:
        """The clips, in order."""
        return [take[0] for take in self.takes]

    def _takes(self, names: list[Name], protocol: str) -> list[tuple[Name, ...]]:
        return [(name,) for name in names]

    def _gathered(self, index: int, rng: np.random.Generator | None) -> dict[str, np.ndarray] | None:
        (name,), inputs = self.takes[index], {}
        if "skeleton" in self.modalities:
            inputs["skeleton"] = self._skeleton(name)
        if "rgb" in self.modalities:
            frames = self._frames(index, name, rng)
            if frames is None:
                return None
            inputs["rgb"] = frames
        return inputs


@DATASETS.register_module()
class NTUTakes(_Takes):
    """Takes of NTU RGB+D: what one, two or three cameras saw of one action at the same time.

    ``rgb`` is ``(3, T, 3, H, W)`` bytes, cameras 1 to 3, zeros where one is absent: its sample is not in the store, or
    its video cannot be read. ``view_shown`` ``(3,)`` float32 is 1 where a camera is there and 0 where it is absent;
    give it to a network as its ``view_mask``. ``skeleton`` ``(2, T, 25, 3)`` is that of the first camera that is there,
    as in ``NTU``. A take of which no video can be read has the next one in its place. Cameras draw frames of their own.

    A take is in one split whole; the protocol ``"xview-60"`` parts the cameras, so it has none. Other arguments are as
    in ``NTU``, and the same fraction shows the labels of the same takes.
    """

    known = ("skeleton", "rgb", SHOWN)

    def _takes(self, names: list[Name], protocol: str) -> list[tuple[Name, ...]]:
        return list(groups(names, protocol).values())

    def _gathered(self, index: int, rng: np.random.Generator | None) -> dict[str, np.ndarray] | None:
        there, inputs = list(self.takes[index]), {}
        if self.videos is not None:
            inputs["rgb"] = np.zeros((CAMERAS, *self.videos.shape), np.uint8)
            for name in self.takes[index]:
                frames = self._frames(index, name, rng)
                if frames is None:
                    there.remove(name)
                else:
                    inputs["rgb"][name.camera - 1] = frames
        if not there:
            return None
        if "skeleton" in self.modalities:
            inputs["skeleton"] = self._skeleton(there[0])
        if SHOWN in self.modalities:
            cameras = [name.camera for name in there]
            inputs[SHOWN] = np.isin(np.arange(1, CAMERAS + 1), cameras).astype(np.float32)
        return inputs


def _videos(folder: Path, options: Mapping[str, Any]) -> Videos:
    root = Path(options.get("root") or folder / "rgb").expanduser()
    existing_folder(root, "put the videos, NAME_rgb.avi or NAME.mp4, there, or say where: rgb.root")
    return Videos(**{**options, "root": root})


def _folder(root: str | Path | None) -> Path:
    return root_folder(root, "ntu", "NTU RGB+D was not found: no root was given", REMEDY)
