"""Fields of several models as one with a first axis for them, and the other way round."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor


def unbound(value: Tensor) -> Sequence[Tensor]:
    """The parts of a stacked tensor."""
    return value.unbind(0)


def changed(fields: Mapping[str, Any], by: Callable[[Tensor], Any]) -> dict[str, Any]:
    """What ``by`` makes of each tensor, also of those in lists."""
    return {n: by(v) if isinstance(v, Tensor) else [by(one) for one in v] for n, v in fields.items()}


def rows(fields: Mapping[str, Any], by: Callable[[Tensor], Sequence[Tensor]]) -> list[dict[str, Any]]:
    """The fields of each model, where ``by`` takes a tensor apart."""
    columns = {
        name: parts if isinstance(fields[name], Tensor) else map(list, zip(*parts, strict=True))
        for name, parts in changed(fields, by).items()
    }
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def side_by_side(values: Sequence[Any]) -> Any:
    """Trees of equal tensors as one; anything else in them is a ``TypeError``."""
    first = values[0]
    if isinstance(first, Mapping):
        return {name: side_by_side([value[name] for value in values]) for name in first}
    if isinstance(first, list | tuple):
        return [side_by_side(list(column)) for column in zip(*values, strict=True)]
    return torch.stack(list(values))


def each(value: Any) -> list[Tensor]:
    """The tensors of a field."""
    return [value] if isinstance(value, Tensor) else list(value)
