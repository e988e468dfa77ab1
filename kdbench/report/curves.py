"""Curves over epochs, from the numbers of every step and validation."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

POINTS = 100  # of a curve; more cannot be told apart in a picture
LOSS = "training loss"


def curves(history: Mapping[str, Sequence[float]], epochs: int, primary: str) -> dict[str, dict[str, Any]]:
    """``{name: {"x": epochs, "y": values}}``: the training loss, its mean an epoch, and the validated ``primary``.

    A loss has at most ``POINTS`` points; with more epochs each is the mean of several.
    """
    found = {}
    losses = np.asarray(history.get("train/loss", ()), dtype=float)
    if losses.size and epochs:
        points = min(epochs, POINTS, losses.size)
        parts = np.array_split(losses, points)
        found[LOSS] = {
            "x": [_short(epochs * (place + 1) / points) for place in range(points)],
            "y": [_short(float(part.mean())) for part in parts],
        }
    scores, at = history.get(f"val/{primary}", ()), history.get("val/epoch", ())
    if scores and len(scores) == len(at):
        found[primary] = {"x": [_short(x) for x in at], "y": [_short(y) for y in scores]}
    return found


def _short(value: float) -> float | None:
    """Five digits, which a picture cannot show either; ``None`` for what is no number."""
    return float(f"{value:.5g}") if math.isfinite(value) else None
