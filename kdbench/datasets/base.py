"""The base of every data set: samples as a pure function of a draw (seed, epoch, index, round)."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from torch.utils.data import Dataset

from ..registry import TRANSFORMS, build

Sample = dict[str, Any]
Transform = Callable[[Sample, np.random.Generator], Sample]


class Draw(NamedTuple):
    """Which sample, and which of its random variants; ``round`` tells those of one epoch from each other."""

    seed: int
    epoch: int
    index: int
    round: int = 0


def generator(draw: Draw, stream: int = 0) -> np.random.Generator:
    """A random stream of one draw: counter-based, so no worker, batch or restart changes it."""
    key = np.array([draw.seed, draw.epoch], dtype=np.uint64)
    # Shifted, since the sampler's permutations count in the low half of that word.
    return np.random.Generator(np.random.Philox(key=key, counter=[0, stream, draw.round << 32, draw.index]))


def restart(rng: np.random.Generator, stream: int) -> None:
    """Let a generator of a draw begin the draw's ``stream``; to make another costs four times as much.

    >>> rng = generator(Draw(0, 1, 2))
    >>> restart(rng, 5)
    >>> bool(rng.random() == generator(Draw(0, 1, 2), 5).random())
    True
    """
    state = rng.bit_generator.state
    counter = state["state"]["counter"]
    counter[:2] = 0, stream
    rng.bit_generator.state = {**state, "buffer_pos": len(state["buffer"]), "has_uint32": 0, "uinteger": 0}


def transformed(sample: Sample, transforms: Sequence[Transform], draw: Draw) -> Sample:
    """The sample after all transforms, each with a stream of its own.

    So what one modality draws does not depend on which others are loaded: a student alone and the same student
    beside a teacher of another modality see the same clips.
    """
    rng = generator(draw)
    for stream, transform in enumerate(transforms):
        if stream:
            restart(rng, stream)
        sample = transform(sample, rng)
    return sample


def built_transforms(transforms: Sequence[dict | Transform]) -> list[Transform]:
    """The transforms, those given as configs built from the registry."""
    return [build(TRANSFORMS, t) if isinstance(t, dict) else t for t in transforms]


class ClipDataset(Dataset):
    """Clips that are loaded by index and then transformed with the draw's own random streams.

    A subclass gives ``__len__``, ``targets`` and ``load(index)``; ``load`` returns
    ``{"inputs": {modality: array}, "target": ..., **fields}`` and decodes media only then. ``index`` is added here.
    A plain integer item is the draw ``(0, 0, index)``.
    """

    def __init__(self, transforms: Sequence[dict | Transform] = ()):
        self.transforms = built_transforms(transforms)

    @property
    def targets(self) -> np.ndarray:
        """The labels that may be used, ``(N,)`` or ``(N, K)``, read without decoding any media."""
        raise NotImplementedError

    @property
    def recordings(self) -> Sequence[str] | None:
        """The name of the recording that each clip was cut from, ``(N,)``; None where each is a recording of its own.

        Clips of one recording are not independent, and intervals of scores keep them together.
        """
        return None

    def load(self, index: int) -> Sample:
        """The sample as recorded, before any transform."""
        raise NotImplementedError

    def draw(self, draw: Draw) -> Sample:
        """The sample of a draw, before any transform; another than ``load`` gives where the data themselves vary."""
        return self.load(draw.index)

    @property
    def subjects(self) -> np.ndarray | None:
        """Who acts in each clip, ``(N,)``; None where that is not known. Cross-validation keeps a person together."""
        return None

    def prepared_as(self, other: "ClipDataset") -> "Prepared":
        """These clips as recorded, prepared as ``other`` prepares its own: training clips without augmentation."""
        return Prepared(self, other.transforms)

    def __len__(self) -> int:
        raise NotImplementedError

    def __getitem__(self, item: int | Draw) -> Sample:
        draw = Draw(*item) if isinstance(item, tuple) else Draw(0, 0, int(item))
        sample = transformed(self.draw(draw), self.transforms, draw)
        return self.arranged({**sample, "index": draw.index})

    def arranged(self, sample: Sample) -> Sample:
        """The inputs that were asked for, of a clip after its transforms; all of them unless a subclass chooses."""
        return sample


class Prepared(ClipDataset):
    """Clips of a data set as they were recorded, never as they vary, with transforms of their own."""

    def __init__(self, clips: ClipDataset, transforms: Sequence[dict | Transform]):
        super().__init__(transforms)
        self.clips = clips

    @property
    def targets(self) -> np.ndarray:
        return self.clips.targets

    @property
    def subjects(self) -> np.ndarray | None:
        return self.clips.subjects

    def load(self, index: int) -> Sample:
        return self.clips.load(index)

    def arranged(self, sample: Sample) -> Sample:
        return self.clips.arranged(sample)

    def __len__(self) -> int:
        return len(self.clips)
