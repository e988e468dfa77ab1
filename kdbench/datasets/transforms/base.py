"""The base of transforms that change one modality of a sample."""

import numpy as np

from ..base import Sample


class ClipTransform:
    """Changes the clip of one modality; a sample without that modality passes as it is.

    A subclass sets ``modality`` and gives ``apply``. So one list of transforms serves every choice of modalities. With
    ``into`` the changed clip is a further input of that name, such as the strong view ``"<modality>_strong"``.
    """

    modality: str
    into: str | None = None

    def apply(self, clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The changed clip, time first; ``clip`` itself stays as it is."""
        raise NotImplementedError

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        inputs = sample["inputs"]
        if self.modality not in inputs:
            return sample
        changed = self.apply(inputs[self.modality], rng)
        return {**sample, "inputs": {**inputs, self.into or self.modality: changed}}
