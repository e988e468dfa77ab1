"""Average precision over classes, over clips, over all pairs and over frames."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..registry import METRICS
from .columns import ColumnMetric

COMPAT = (None, "authors")


def average_precision(score: Tensor, target: Tensor) -> Tensor:
    """The area under each row's precision-recall curve, ``(...)``, from ``(..., n)``; NaN without a positive.

    Steps are at distinct scores, so that equal scores count together and the order of rows does not matter
    (scikit-learn's definition). ``target`` is 0 or 1; negative entries are left out. Computed in float64 for all rows
    at once.

    >>> average_precision(torch.tensor([0.5, 0.5, 0.5, 0.5]), torch.tensor([1, 0, 0, 1]))
    tensor(0.5000, dtype=torch.float64)
    """
    _refuse_infinite(score)
    rows, count = score.shape[:-1], score.shape[-1]
    score, target = score.reshape(-1, count), target.reshape(-1, count)
    summed = _ranked_sum if score.dtype == torch.float64 else _counted_sum
    return (summed(score, target) / _counts((target > 0).sum(-1))).reshape(rows)


def _ranked_sum(score: Tensor, target: Tensor) -> Tensor:
    """The precisions at the positives of each row ``(R, n)``, summed: every entry is put in order and gathered."""
    score, hit, known = _ranked(score, target)
    last = torch.searchsorted(-score, -score, right=True) - 1  # of those with the same score
    precision = hit.cumsum(-1) / known.cumsum(-1).clamp(min=1)
    return (hit * precision.gather(-1, last)).sum(-1)


def _counted_sum(score: Tensor, target: Tensor) -> Tensor:
    """The same from single precision: at a positive it is (positives) / (known entries) that score no less.

    Both are counted by looking the positive up in sorted keys of 64 bits, the row above the score, so that all rows
    are one ascending list: labels need not be carried along, which makes it a plain sort, a few times as fast.
    """
    count, lowest = score.shape[-1], -(2**31)  # below the key of any finite score
    key = _keys(score)
    row = (torch.arange(len(key), device=key.device) << 32).unsqueeze(-1) - lowest
    positives = _ascending((key + row)[target > 0])
    key = key.masked_fill(target < 0, lowest)
    known = (_ascending(key) + row).flatten()
    of = positives >> 32
    ends = torch.bincount(of, minlength=len(key)).cumsum(0)
    hits = ends[of] - torch.searchsorted(positives, positives)
    entries = (of + 1) * count - torch.searchsorted(known, positives)
    return torch.zeros(len(key), dtype=torch.float64, device=key.device).index_add_(
        0, of, hits / entries.double()
    )


def _keys(score: Tensor) -> Tensor:
    """Integers of 32 bits in the order of single-precision scores: the bits, turned round below zero."""
    bits = (score.float() + 0.0).contiguous().view(torch.int32)  # + 0.0: -0 is 0
    return bits ^ ((bits >> 31) & 0x7FFFFFFF)


def _ascending(keys: Tensor) -> Tensor:
    """Sorted along the last axis; NumPy's sort of integers is vectorised, torch's on a CPU is not."""
    if keys.device.type == "cpu":
        return torch.from_numpy(np.sort(keys.contiguous().numpy()))
    return keys.sort().values


def average_precision_authors(score: Tensor, target: Tensor) -> Tensor:
    """The average precision of the MultiASL and MultiTSF code, ``(...)`` from ``(..., n)``; NaN without a positive.

    Equal scores are ordered, later entries first, and 1e-8 is added to the number of positives. Only for comparison
    with their numbers: how ties fall depends on the order of the data.

    >>> average_precision_authors(torch.tensor([0.5, 0.5, 0.5, 0.5]), torch.tensor([1, 0, 0, 1]))
    tensor(0.7500, dtype=torch.float64)
    """
    _refuse_infinite(score)
    _, hit, known = _ranked(score.flip(-1), target.flip(-1))
    precision = hit.cumsum(-1) / known.cumsum(-1).clamp(min=1)
    return (hit * precision).sum(-1) / (_counts(hit.sum(-1)) + 1e-8)


def _ranked(score: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Scores in descending order, and along it which entries are positive and which have a label."""
    score, order = score.double().contiguous().sort(dim=-1, descending=True, stable=True)
    target = target.contiguous().gather(-1, order)
    return score, (target > 0).double(), (target >= 0).double()


def _refuse_infinite(score: Tensor) -> None:
    if not score.isfinite().all():
        raise ValueError("average precision needs finite scores; there is: NaN or infinity")


def _counts(positives: Tensor) -> Tensor:
    """Numbers of positives to divide by; NaN for none."""
    return torch.where(positives > 0, positives.double(), torch.nan)


def mean_average_precision(
    score: Tensor, target: Tensor, over: str = "classes", compat: str | None = None
) -> Tensor:
    """The mean of average precisions as a fraction, of ``score`` and ``target`` ``(N, K)``.

    ``over="classes"`` ranks the clips for each class (mAP_C), ``"clips"`` the classes for each clip (mAP_S),
    ``"pairs"`` all pairs of clip and class at once (micro). Classes or clips without a positive are left out of the
    mean. ``compat="authors"`` uses ``average_precision_authors``.

    >>> mean_average_precision(torch.tensor([[0.9, 0.1], [0.2, 0.8]]), torch.tensor([[1, 1], [1, 0]]))
    tensor(0.7500, dtype=torch.float64)
    """
    rows = {"classes": lambda x: x.T, "clips": lambda x: x, "pairs": lambda x: x.reshape(1, -1)}
    if over not in rows or compat not in COMPAT:
        raise ValueError(
            f"over='{over}', compat={compat!r} is unknown; there is: over {', '.join(rows)}, compat {COMPAT}"
        )
    precision = average_precision if compat is None else average_precision_authors
    return precision(rows[over](score), rows[over](target)).nanmean()


@METRICS.register_module()
class MeanAP(ColumnMetric):
    """``mAP_C``, ``mAP_S`` and ``micro_AP`` in percent of clips with several labels, target ``(K,)`` of 0 and 1.

    Where samples carry ``frame_score`` and ``frame_target`` ``(T, K)``, ``frame_mAP`` is the mAP over classes with
    frames as samples; frames whose target is negative (padding) are left out. ``compat="authors"`` computes as the
    MultiASL code does. ``column`` names the scores.
    """

    def __init__(self, compat: str | None = None, column: str = "score", **options: Any):
        super().__init__(**options)
        if compat not in COMPAT:
            raise ValueError(f"compat={compat!r} is unknown; there is: {COMPAT}")
        self.compat, self.column = compat, column
        self.reads, self.optional = (column, "target"), ("frame_score", "frame_target")

    def measure(self, columns: Mapping[str, Tensor]) -> dict[str, float]:
        pair = columns[self.column], columns["target"]
        kinds = {"mAP_C": "classes", "mAP_S": "clips", "micro_AP": "pairs"}
        values = {name: self._percent(*pair, over) for name, over in kinds.items()}
        if "frame_score" in columns and "frame_target" in columns:
            frames = columns["frame_score"].flatten(0, 1), columns["frame_target"].flatten(0, 1)
            values["frame_mAP"] = self._percent(*frames, over="classes")
        return values

    def _percent(self, score: Tensor, target: Tensor, over: str) -> float:
        return 100 * mean_average_precision(score, target, over, self.compat).item()


@METRICS.register_module()
class BranchAP(ColumnMetric):
    """The mAP of MultiTSF's three scores, softmaxes over classes: ``clip/mAP_C``, ``frames/mAP_C``, ``both/mAP_C``, ...

    ``clip`` is that of the logits, ``frames`` that of each class's highest frame, ``both`` their mean (Nguyen et al.,
    FG 2025; from the authors' code). A softmax ranks clips otherwise than the sigmoid of ``MeanAP`` does. Samples carry
    ``logits`` ``(K,)`` and maybe ``frame_logits`` ``(T, K)``, without which there is only ``clip``; frames whose
    ``frame_target`` is negative (padding) are left out. ``compat`` is as in ``MeanAP``.
    """

    reads = ("logits", "target")
    optional = ("frame_logits", "frame_target")

    def __init__(self, compat: str | None = None, **options: Any):
        super().__init__(**options)
        self.metric = MeanAP(compat)

    def measure(self, columns: Mapping[str, Tensor]) -> dict[str, float]:
        scores = {"clip": columns["logits"].softmax(-1)}
        if "frame_logits" in columns:
            frames = columns["frame_logits"]
            if "frame_target" in columns:
                padding = (columns["frame_target"] < 0).all(-1, keepdim=True)
                frames = frames.masked_fill(padding, torch.finfo(frames.dtype).min)
            scores["frames"] = frames.amax(1).softmax(-1)
            scores["both"] = (scores["clip"] + scores["frames"]) / 2
        return {
            f"{branch}/{name}": value
            for branch, score in scores.items()
            for name, value in self.metric.measure({"score": score, "target": columns["target"]}).items()
        }
