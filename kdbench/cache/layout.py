"""How the teacher's outputs for one draw lie in a record of fixed size."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..spec import Fields, IncompatibleError

DTYPES = {"float16": "<f2", "float32": "<f4"}
LOGITS = "logits"
_VALUES, _CLASSES, _REST = (f"{LOGITS}.{part}" for part in ("values", "classes", "rest"))
MOST_CLASSES = 1 << 16


def flat(outputs: Mapping[str, Tensor | list[Tensor]], taps: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The named outputs as float32 arrays; a list of tensors becomes ``name/0``, ``name/1``, ..."""
    found: dict[str, Tensor] = {}
    for name in taps:
        value = outputs[name]
        several = {f"{name}/{place}": part for place, part in enumerate(value)} if _is_list(value) else {}
        found |= several or {name: value}
    return {name: value.detach().float().cpu().numpy() for name, value in found.items()}


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


@dataclass(frozen=True)
class Layout:
    """``shapes`` of the outputs of one sample, in ``dtype``, without padding.

    With ``top_k``, logits ``(K,)`` are kept as the k largest, their classes, and ``rest``: the one value which, in the
    place of each other class, leaves the sum of exponentials as it is. So the probabilities of the k classes and the
    mass of all others are those of the teacher at temperature 1; at another one the mass is an approximation.
    """

    shapes: Mapping[str, tuple[int, ...]]
    dtype: str = "float16"
    top_k: int | None = None

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise ValueError(f"records of {self.dtype} were asked for; there is: {', '.join(DTYPES)}")
        if self.top_k is not None:
            self._check_top_k(self.shapes.get(LOGITS))

    def _check_top_k(self, shape: tuple[int, ...] | None) -> None:
        if shape is None or len(shape) != 1:
            raise ValueError(f"top_k={self.top_k} keeps a part of logits (K,); there is: {shape}")
        if not 1 <= self.top_k < shape[0] <= MOST_CLASSES:
            raise ValueError(f"top_k={self.top_k} of {shape[0]} classes; it lies in [1, {shape[0] - 1}]")

    @cached_property
    def record(self) -> np.dtype:
        """The record as NumPy knows it: little-endian, packed."""
        kind, fields = DTYPES[self.dtype], []
        for name, shape in self.shapes.items():
            if name == LOGITS and self.top_k is not None:
                fields += [(_VALUES, kind, (self.top_k,)), (_CLASSES, "<u2", (self.top_k,)), (_REST, kind)]
            else:
                fields.append((name, kind, tuple(shape)))
        return np.dtype(fields)

    def encode(self, outputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Records ``(B,)`` of float32 outputs ``(B, ...)``; what ``dtype`` cannot hold is an ``IncompatibleError``."""
        columns = dict(outputs)
        if self.top_k is not None:
            columns |= _shortened(columns.pop(LOGITS), self.top_k)
        records = np.zeros(len(next(iter(columns.values()))), dtype=self.record)
        with np.errstate(over="ignore"):
            for name in self.record.names or ():
                records[name] = columns[name]
                self._check_finite(name, records[name], columns[name])
        return records

    def _check_finite(self, name: str, stored: np.ndarray, given: np.ndarray) -> None:
        if np.isfinite(stored).all():
            return
        if not np.isfinite(given).all():
            raise IncompatibleError(
                f"the teacher's '{name}' holds values that are not finite; train another teacher"
            )
        raise IncompatibleError(
            f"the teacher's '{name}' reaches {np.abs(given).max():.3g}, which {self.dtype} does not hold; "
            "build the cache with --dtype float32"
        )

    def decode(self, records: np.ndarray, taps: Sequence[str]) -> Fields:
        """The outputs ``(B, ...)`` called ``taps`` of records ``(B,)``, in ``dtype``."""
        found = Fields()
        for name in self.shapes:
            whole, is_part, _ = name.partition("/")
            if whole not in taps:
                continue
            value = torch.from_numpy(self._column(records, name))
            if is_part:
                found.setdefault(whole, []).append(value)
            else:
                found[name] = value
        return found

    def _column(self, records: np.ndarray, name: str) -> np.ndarray:
        if name == LOGITS and self.top_k is not None:
            return _spread(records, self.shapes[LOGITS][0])
        return np.ascontiguousarray(records[name])


def _shortened(logits: np.ndarray, top_k: int) -> dict[str, np.ndarray]:
    """The k largest logits of each row, falling, with their classes, and what stands for each other class."""
    order = np.argsort(-logits, axis=1, kind="stable")
    top, others = order[:, :top_k], np.take_along_axis(logits, order[:, top_k:], 1).astype(np.float64)
    peak = others.max(axis=1, keepdims=True)
    rest = peak[:, 0] + np.log(np.exp(others - peak).mean(axis=1))
    return {_VALUES: np.take_along_axis(logits, top, 1), _CLASSES: top, _REST: rest.astype(np.float32)}


def _spread(records: np.ndarray, num_classes: int) -> np.ndarray:
    logits = np.repeat(records[_REST][:, None], num_classes, axis=1)
    np.put_along_axis(logits, records[_CLASSES].astype(np.int64), records[_VALUES], axis=1)
    return logits
