"""What saved predictions say beyond the score: classes, calibration, agreement with the teacher."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..evaluation import agreement, average_precision, binned_gap, decision_agreement
from ..records import predictions_of
from ..spec import InvalidDataError
from .read import Run

BINS = 15  # of equal width on [0, 1], as those of the recorded ECE


class Predictions(NamedTuple):
    """Probabilities ``(N, K)``, targets ``(N,)`` or ``(N, K)`` (negative: unlabelled), numbers of clips ``(N,)``."""

    score: Tensor
    target: Tensor
    clip: Tensor


def read_predictions(run: Run) -> Predictions | None:
    """The predictions that a run recorded; ``None`` where they are not there, not whole, or not those of classes."""
    try:
        found = predictions_of(run.result)
    except InvalidDataError:  # the run's warnings say so
        return None
    if found is None or found.score.ndim != 2:
        return None
    score, target, clip = map(torch.from_numpy, (found.score, found.target, found.index))
    return Predictions(score.double(), target, clip)


def by_class(found: Predictions) -> Tensor:
    """Per cent of each class, ``(K,)``: its clips that are recognised, or its average precision; NaN without a clip."""
    if found.target.dim() == 2:
        return 100 * average_precision(found.score.T, found.target.T)
    known = found.target >= 0
    target, right = found.target[known], found.score[known].argmax(1) == found.target[known]
    classes = found.score.shape[1]
    hits = torch.zeros(classes, dtype=torch.double).index_add(0, target, right.double())
    return 100 * hits / torch.bincount(target, minlength=classes)


def events(found: Predictions) -> tuple[Tensor, Tensor]:
    """Confidences and whether they were right: of the best class, or of each class where a clip has several."""
    known = found.target >= 0
    if found.target.dim() == 2:
        return found.score[known], found.target[known] > 0
    confidence, best = found.score[known].max(1)
    return confidence, best == found.target[known]


def reliability(predictions: Sequence[Predictions]) -> dict[str, Any]:
    """The mean ECE in per cent over runs, and their bins together: (confidence, frequency, share of events)."""
    pairs = [events(found) for found in predictions]
    gaps = [100 * binned_gap(*pair, bins=BINS).item() for pair in pairs if len(pair[0])]
    confidence, right = (torch.cat(column) for column in zip(*pairs, strict=True))
    place = torch.bucketize(confidence, torch.linspace(0, 1, BINS + 1).double()[1:-1], right=True)
    counts = torch.bincount(place, minlength=BINS).double()
    sums = torch.zeros(2, BINS).double().index_add(1, place, torch.stack([confidence, right.double()]))
    bins = [
        [round(float(value), 4) for value in (sums[0, b] / n, sums[1, b] / n, n / counts.sum())]
        for b, n in enumerate(counts)
        if n
    ]
    return {"ece": round(sum(gaps) / len(gaps), 3) if gaps else None, "bins": bins}


def agreement_with(student: Predictions, teacher: Predictions) -> float | None:
    """Per cent of decisions that both share, on the same clips; ``None`` if they saw other clips."""
    if student.score.shape != teacher.score.shape or not torch.equal(student.clip, teacher.clip):
        return None
    if student.target.dim() == 1:
        return 100 * agreement(student.score, teacher.score).item()
    return 100 * decision_agreement(student.score - 0.5, teacher.score - 0.5).item()


def teacher_run(run: Run, by_weights: Mapping[str, Run]) -> Run | None:
    """The run whose student taught this one; ``None`` where there are several, or it is not among the runs."""
    origins = (run.result.get("teacher") or {}).get("origins") or []
    return by_weights.get(origins[0]["sha256"]) if len(origins) == 1 else None
