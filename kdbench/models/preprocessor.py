"""The step between the loader and the models: device, dtype, standardisation by modality."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from ..registry import MODELS
from ..spec import STRONG


@MODELS.register_module()
class Preprocessor(BaseDataPreprocessor):
    """Moves a batch to the device; bytes become [0, 1]; ``(x - mean) / std`` a modality.

    ``mean`` and ``std`` map a modality to a number or to one number a channel; ``channel_axis`` (default 2, counted
    from the end) is where the channels of that modality are: ``(..., C, H, W)``. A strong view is like its modality.
    """

    def __init__(
        self,
        mean: Mapping[str, float | Sequence[float]] | None = None,
        std: Mapping[str, float | Sequence[float]] | None = None,
        channel_axis: Mapping[str, int] | None = None,
        non_blocking: bool = True,
    ):
        super().__init__(non_blocking=non_blocking)
        mean, std, axis = mean or {}, std or {}, channel_axis or {}
        for name in {*mean, *std}:
            trailing = axis.get(name, 2)
            self.register_buffer(f"mean_{name}", _column(mean.get(name, 0.0), trailing), persistent=False)
            self.register_buffer(f"std_{name}", _column(std.get(name, 1.0), trailing), persistent=False)

    def forward(self, data: Mapping[str, Any], training: bool = False) -> dict[str, Any]:
        data = {name: self._moved(value) for name, value in data.items()}
        data["inputs"] = {name: self._standardised(name, value) for name, value in data["inputs"].items()}
        return data

    def _moved(self, value: Any) -> Any:
        """The value on the device; mmengine's ``cast_data`` knows more kinds of trees, and takes five times as long."""
        if isinstance(value, Tensor):
            return value.to(self.device, non_blocking=self._non_blocking)
        if isinstance(value, dict):
            return {name: self._moved(part) for name, part in value.items()}
        if isinstance(value, list | tuple):
            return [self._moved(part) for part in value]
        return value

    def _standardised(self, name: str, value: Tensor) -> Tensor:
        name = name.removesuffix(STRONG)
        value = value.float() / 255 if value.dtype == torch.uint8 else value.float()
        if hasattr(self, f"mean_{name}"):
            value = (value - getattr(self, f"mean_{name}")) / getattr(self, f"std_{name}")
        return value


def _column(numbers: float | Sequence[float], trailing: int) -> Tensor:
    column = torch.as_tensor(numbers, dtype=torch.float32)
    return column.reshape(-1, *(1,) * trailing) if column.ndim else column
