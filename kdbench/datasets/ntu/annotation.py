"""The skeleton pickles of mmaction2 and PYSKL, read without executing anything that they say.

A dict: ``split`` names lists of samples; ``annotations`` is a list of dicts with ``frame_dir`` (the sample),
``label`` (from 0) and ``keypoint`` ``(M, T, V, C)``; those in pictures have ``keypoint_score`` ``(M, T, V)``.
"""

import io
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...spec import InvalidDataError
from .names import Name

# All that a pickle of arrays needs.
_ALLOWED = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy._core.numeric", "_frombuffer"),
    ("_codecs", "encode"),
}
_CORE = (
    "numpy._core" if hasattr(np, "_core") else "numpy.core"
)  # NumPy 2 has moved it; pickles know either name


class Annotation(NamedTuple):
    """One sample: its class and persons, ``keypoint`` ``(M, T, V, C)``; 2-D ones have a ``score`` ``(M, T, V)``."""

    name: str
    label: int
    keypoint: np.ndarray
    score: np.ndarray | None


class _Restricted(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module.replace("numpy.core", "numpy._core"), name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it wants {module}.{name}, which is no array")
        return super().find_class(re.sub(r"numpy\._?core", _CORE, module), name)


def read_annotations(path: Path) -> tuple[dict[str, list[str]], Iterator[Annotation]]:
    """The splits and the samples of a pickle; one that holds anything but arrays, texts and numbers is refused."""
    try:
        content = _Restricted(io.BytesIO(path.read_bytes())).load()
    except FileNotFoundError:
        raise InvalidDataError(f"{path} is missing") from None
    except Exception as error:  # a damaged pickle raises about anything
        raise InvalidDataError(
            f"{path} was not read: {error}; it should be mmaction2's or PYSKL's pickle"
        ) from error
    if not isinstance(content, dict) or not isinstance(content.get("annotations"), list):
        raise InvalidDataError(
            f"{path} has no list 'annotations'; it should be mmaction2's or PYSKL's pickle"
        )
    splits = {
        str(name): [str(sample) for sample in samples] for name, samples in content.get("split", {}).items()
    }
    return splits, (_annotation(path, entry) for entry in content["annotations"])


def _annotation(path: Path, entry: Any) -> Annotation:
    try:
        name, keypoint = str(entry["frame_dir"]), np.asarray(entry["keypoint"])
        score = entry.get("keypoint_score")
        found = Annotation(name, int(entry["label"]), keypoint, None if score is None else np.asarray(score))
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidDataError(f"{path}: an annotation lacks or misstates {error}") from error
    if keypoint.ndim != 4 or keypoint.dtype.kind != "f" or not keypoint.size:
        raise InvalidDataError(f"{path}: keypoint of {name} has the shape {keypoint.shape}, not (M, T, V, C)")
    if Name.parse(name).label != found.label:
        raise InvalidDataError(f"{path}: {name} has the label {found.label}, not that of its name")
    return found
