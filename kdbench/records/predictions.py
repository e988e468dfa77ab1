"""Saved predictions: the scores of every test clip, from which any later metric or test is computed."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

from ..spec import InvalidDataError
from .files import RESULT_FILE


@dataclass(frozen=True, eq=False)
class Predictions:
    """Scores ``(N, K)``, targets ``(N,)`` classes or ``(N, K)`` of 0 and 1 (negative: unlabelled), indices ``(N,)``.

    ``group`` ``(N,)`` says which clips are of one recording; None where each is one of its own. ``source`` is for
    messages.
    """

    score: NDArray[np.floating]
    target: NDArray[np.integer]
    index: NDArray[np.integer]
    group: NDArray[np.integer] | None = None
    source: str = "the predictions"


def read_predictions(path: str | Path, sha256: str | None = None) -> Predictions:
    """The predictions in a file; one that is missing, damaged or another than ``sha256`` is an ``InvalidDataError``."""
    path = Path(path)
    try:
        content = path.read_bytes()
        columns = load(content)
    except (OSError, SafetensorError) as error:
        raise InvalidDataError(f"{path} cannot be read: {error}") from error
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        raise InvalidDataError(f"{path} is not the file that {RESULT_FILE} beside it names")
    absent = [name for name in ("score", "target", "index") if name not in columns]
    if absent:
        raise InvalidDataError(f"{path} has no column {', '.join(absent)}; there is: {', '.join(columns)}")
    return Predictions(
        columns["score"].astype(np.float32),
        columns["target"].astype(np.int64),
        columns["index"],
        columns.get("group"),
        str(path),
    )


def predictions_of(record: Mapping[str, Any]) -> Predictions | None:
    """The predictions of a record that was read from a file; None where they are not there (any more).

    A record that was set aside (``result.<id8>.yml``) has its predictions beside it under the same ending.
    """
    saved = record.get("predictions")
    if not saved:
        return None
    file = Path(record["file"])
    ending = file.stem.removeprefix(Path(RESULT_FILE).stem)
    name = Path(saved["path"])
    path = file.with_name(f"{name.stem}{ending}{name.suffix}")
    return read_predictions(path, saved["sha256"]) if path.is_file() else None
