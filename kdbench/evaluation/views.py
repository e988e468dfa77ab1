"""Scores of the same clips from parts of the input: each view alone, or all but some views or a modality."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..registry import METRICS, build
from .columns import ColumnMetric


@METRICS.register_module()
class EachOf(ColumnMetric):
    """Another metric of each of several scores: ``view_0/mAP_C``, ``view_1/mAP_C``, ...; nothing without such scores.

    ``metric`` is the config of a metric that reads ``score``; the samples carry ``<column>_score`` ``(C, K)``, and for
    its frames maybe ``<column>_frame_score`` ``(C, T, K)``. ``names`` are those of the ``C`` scores, ``<column>_<i>``
    unless said. The target is the clip's, whatever a view shows of it: a view that misses an action is wrong about it.
    Where samples say by ``<column>_shown`` ``(C,)`` which of the scores there are, only these count, and a column that
    no sample has gives nothing.
    """

    def __init__(
        self,
        metric: Mapping[str, Any],
        column: str = "view",
        names: Sequence[str] | None = None,
        **options: Any,
    ):
        super().__init__(**options)
        self.metric: ColumnMetric = build(METRICS, dict(metric))
        self.column, self.names = column, names
        self.reads = ("target",)
        self.optional = (f"{column}_score", f"{column}_frame_score", f"{column}_shown", "frame_target")

    def measure(self, columns: Mapping[str, Tensor]) -> dict[str, float]:
        scores = columns.get(f"{self.column}_score")
        if scores is None:
            return {}
        names = self.names or [f"{self.column}_{place}" for place in range(scores.shape[1])]
        if len(names) != scores.shape[1]:
            raise ValueError(f"{len(names)} names of scores; there is: {scores.shape[1]}")
        shown = columns.get(f"{self.column}_shown", torch.ones(scores.shape[:2])).bool()
        return {
            f"{name}/{metric}": value
            for place, name in enumerate(names)
            if shown[:, place].any()
            for metric, value in self.metric.measure(self._of_one(columns, place, shown[:, place])).items()
        }

    def _of_one(self, columns: Mapping[str, Tensor], place: int, shown: Tensor) -> dict[str, Tensor]:
        """The columns as the metric knows them, of one of the scores where there is one."""
        frames = {name: columns[name][shown] for name in ("frame_target",) if name in columns}
        own = {
            kind: columns[f"{self.column}_{kind}"][shown, place]
            for kind in ("score", "frame_score")
            if f"{self.column}_{kind}" in columns
        }
        return {"target": columns["target"][shown], **frames, **own}
