"""The skeleton pickles of mmaction2 and PYSKL, read without executing anything that they say.

A dict: ``split`` names lists of samples; ``annotations`` is a list of dicts with ``frame_dir`` (the sample),
``label`` (from 0) and ``keypoint`` ``(M, T, V, C)``; those in pictures have ``keypoint_score`` ``(M, T, V)``.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...spec import InvalidDataError
from .inert import load, real
from .names import Name
from .skeleton_file import is_finite

_KIND = "it should be mmaction2's or PYSKL's pickle"


class Annotation(NamedTuple):
    """One sample: its class and persons, ``keypoint`` ``(M, T, V, C)``; 2-D ones have a ``score`` ``(M, T, V)``."""

    name: str
    label: int
    keypoint: np.ndarray
    score: np.ndarray | None


def read_annotations(
    path: Path, skipped: dict[str, str] | None = None
) -> tuple[dict[str, list[str]], Iterator[Annotation]]:
    """The splits and the samples of a pickle; one that holds anything but arrays, texts and numbers is refused.

    So is one with the same sample twice. A sample that is not as it should be is put into ``skipped`` with its reason
    (by its place, where it has no proper name); without ``skipped`` it is an ``InvalidDataError`` too.
    """
    content = _content(path)
    if not isinstance(content, dict) or not isinstance(content.get("annotations"), list):
        raise InvalidDataError(f"{path} has no list 'annotations'; {_KIND}")
    entries = content["annotations"]
    return _splits(path, content), _annotations(path, _names(path, entries), entries, skipped)


def _content(path: Path) -> Any:
    try:
        return load(path)
    except FileNotFoundError:
        raise InvalidDataError(f"{path} is missing") from None
    except Exception as error:  # a damaged pickle raises about anything
        raise InvalidDataError(f"{path} was not read: {error}; {_KIND}") from error


def _splits(path: Path, content: dict[Any, Any]) -> dict[str, list[str]]:
    try:
        splits = content.get("split", {}).items()
        return {str(real(name)): [str(real(sample)) for sample in real(samples)] for name, samples in splits}
    except (AttributeError, TypeError, ValueError, RecursionError, InvalidDataError) as error:
        raise InvalidDataError(f"{path} has no dict of lists 'split' ({error}); {_KIND}") from error


def _names(path: Path, entries: list[Any]) -> list[str]:
    """The sample of each annotation, or its place where it has no proper name."""
    names = [_name_or_nothing(entry) or f"annotation {number}" for number, entry in enumerate(entries, 1)]
    for name, count in Counter(names).items():
        if count > 1:
            raise InvalidDataError(f"{path}: {name} is there {count} times; keep one")
    return names


def _name_or_nothing(entry: Any) -> str:
    try:
        return _name(entry)
    except InvalidDataError:  # is told when the sample is read
        return ""


def _annotations(
    path: Path, names: list[str], entries: list[Any], skipped: dict[str, str] | None
) -> Iterator[Annotation]:
    for name, entry in zip(names, entries, strict=True):
        try:
            found = _annotation(entry)
        except InvalidDataError as error:
            if skipped is None:
                raise InvalidDataError(f"{path}: {name}: {error}") from error
            skipped[name] = str(error)
        else:
            yield found


def _annotation(entry: Any) -> Annotation:
    name = _name(entry)
    try:
        label, keypoint = int(real(entry["label"])), np.asarray(real(entry["keypoint"]))
        score = real(entry.get("keypoint_score"))
        found = Annotation(name, label, keypoint, None if score is None else np.asarray(score))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InvalidDataError(f"lacks or misstates {error}") from error
    _check(found)
    return found


def _check(found: Annotation) -> None:
    shape = found.keypoint.shape
    if len(shape) != 4 or found.keypoint.dtype.kind != "f" or not found.keypoint.size:
        raise InvalidDataError(f"keypoint has the shape {shape}, not (M, T, V, C)")
    if not is_finite(found.keypoint):
        raise InvalidDataError("keypoint has a position that is not finite")
    if Name.parse(found.name).label != found.label:
        raise InvalidDataError(f"has the label {found.label}, not that of its name")


def _name(entry: Any) -> str:
    """The sample of an annotation, as the store writes it."""
    if not isinstance(entry, dict):
        raise InvalidDataError("is no dict")
    text = real(entry.get("frame_dir"))
    if not isinstance(text, str):
        raise InvalidDataError("has no text 'frame_dir'")
    return str(Name.parse(text))
