"""Finds what makes a training step wait for its device: a number that Python reads, a shape that numbers decide."""

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

# Tensor.item, float(), bool() and comparisons go through the first; the shape of what the others give is read back.
_READ_BACK = {
    "_local_scalar_dense",
    "equal",
    "masked_select",
    "nonzero",
    "unique_dim",
    "unique_consecutive",
    "_unique2",
}
_BY_INDEX = {"index", "index_put", "index_put_", "_unsafe_index"}


class NoWaiting(TorchDispatchMode):
    """Raises ``AssertionError`` where a computation on a GPU would wait for it; seen on a CPU too."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        is_mask = name in _BY_INDEX and any(
            isinstance(index, torch.Tensor) and index.dtype is torch.bool for index in args[1]
        )
        assert name not in _READ_BACK, f"{name} waits for the device"
        assert not is_mask, f"{name} by a mask waits for the device: how many there are is not known before"
        return func(*args, **(kwargs or {}))
