"""Whether records can be relied on: that of a run, those of a row."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .predictions import Predictions

MIN_SEEDS = 3


def index_hash(targets: Any) -> str:
    """SHA-256 of the labels of a split, ``(N,)`` or ``(N, K)``, in the order of its clips."""
    labels = np.ascontiguousarray(targets, dtype="<i8")
    return hashlib.sha256(str(labels.shape).encode() + labels.tobytes()).hexdigest()


def tested_on(record: Mapping[str, Any], predictions: Predictions | None) -> str | None:
    """The hash of the test split's labels: what the record says, else that of its predictions' targets."""
    said = ((record.get("data") or {}).get("index_sha256") or {}).get("test")
    return said or (index_hash(predictions.target) if predictions is not None else None)


def doubts(record: Mapping[str, Any]) -> list[str]:
    """Why one run should not be relied on, in words; an empty list if there is nothing."""
    repro = record.get("repro") or {}
    found = []
    if record.get("status") != "ok":
        found.append(f"the run ended as '{record.get('status')}'")
    if (record.get("config") or {}).get("smoke"):
        found.append("it is a smoke run, which measures nothing")
    if not repro.get("git_commit"):
        found.append("no commit is known that made it")
    elif repro.get("git_dirty"):
        found.append("it was made with uncommitted changes")
    return found


def reasons_for_doubt(records: Sequence[Mapping[str, Any]], hashes: Sequence[str | None]) -> list[str]:
    """Why a table should show a row as unreliable: in words, an empty list if there is nothing.

    ``hashes`` are those of the test split's labels, one a record (``tested_on``).
    """
    found = []
    if len(records) < MIN_SEEDS:
        found.append(f"fewer than {MIN_SEEDS} seeds")
    if any(record["repro"]["git_dirty"] for record in records):
        found.append("uncommitted changes")
    if any(record["repro"]["git_commit"] is None for record in records):
        found.append("unknown commit")
    if any((record.get("teacher_cache") or {}).get("top_k") for record in records):
        found.append("a teacher of which only the top logits were kept")
    if None in hashes:
        found.append("unknown test data")
    return found
