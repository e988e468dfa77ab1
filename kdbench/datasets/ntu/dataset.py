"""NTU RGB+D 60 and 120 as a data set: skeletons of up to two persons."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...registry import DATASETS
from ..base import ClipDataset, Sample, Transform
from ..files import root_folder
from ..labels import hide_labels, labelled_mask
from .names import ACTIONS, Name, in_split, protocol_of
from .persons import pre_normalised
from .store import REMEDY, SkeletonStore

PERSONS = 2


@DATASETS.register_module()
class NTU(ClipDataset):
    """Skeletons of NTU RGB+D: ``{"inputs": {"skeleton": clip}, "target": class or -100, "index": position}``.

    Before transforms ``skeleton`` is ``(2, T, 25, 3)`` float32: the persons in ``pre_normalised`` pose, zeros where
    there is no second one. ``root`` holds what ``tools/prepare/ntu.py`` writes; by default ``$KDBENCH_DATA_ROOT/ntu``.
    ``protocol`` is ``"xsub-60"``, ``"xview-60"``, ``"xsub-120"`` or ``"xset-120"``; ``labelled`` hides labels of
    training clips as in ``UTDMHAD``, subjects being performers. What the store lacks is not there; ``names.COUNTS`` are
    the counts of a whole one.
    """

    def __init__(
        self,
        root: str | Path | None = None,
        split: str = "train",
        protocol: str = "xsub-60",
        modalities: Sequence[str] = ("skeleton",),
        labelled: Mapping | None = None,
        transforms: Sequence[dict | Transform] = (),
    ):
        super().__init__(transforms)
        if tuple(modalities) != ("skeleton",):
            raise ValueError(f"modalities={tuple(modalities)}; NTU RGB+D has here: skeleton")
        self.edition = protocol_of(protocol).edition
        self.store = SkeletonStore(_folder(root))
        self.samples: list[Name] = in_split(self.store.names, protocol, split)
        labels = np.array([name.label for name in self.samples], np.int64)
        performers = np.array([name.performer for name in self.samples], np.int64)
        mask = labelled_mask(labelled if split == "train" else None, labels, performers)
        self._targets = hide_labels(labels, mask)

    @property
    def metainfo(self) -> dict[str, Any]:
        """The data set's name, for evaluation and reports; classes are numbered as their authors do."""
        classes = tuple(f"A{action:03}" for action in range(1, ACTIONS[self.edition] + 1))
        return {"dataset": f"NTU RGB+D {self.edition}", "classes": classes}

    @property
    def targets(self) -> np.ndarray:
        """Class of each clip, ``(N,)`` int64; -100 where the label may not be used."""
        return self._targets

    def __len__(self) -> int:
        return len(self.samples)

    def load(self, index: int) -> Sample:
        """The clip at ``index`` before any transform."""
        found = pre_normalised(self.store.persons(self.samples[index]))
        persons = np.zeros((PERSONS, *found.shape[1:]), np.float32)
        persons[: len(found)] = found
        return {"inputs": {"skeleton": persons}, "target": int(self._targets[index])}


def _folder(root: str | Path | None) -> Path:
    return root_folder(root, "ntu", "NTU RGB+D was not found: no root was given", REMEDY)
