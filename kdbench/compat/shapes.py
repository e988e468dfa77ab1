"""Networks of other packages as shapes alone, on torch's device "meta"."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


class NumbersOfRates(TorchFunctionMode):
    """While it is entered, ``torch.linspace`` makes numbers also where the default device is "meta".

    Symptom: networks that read their rates of drop path from it one by one (Swin of mmaction2 and others) raise
    ``RuntimeError: Tensor.item() cannot be called on meta tensors``. Needless where they compute these in Python.
    """

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        if function is torch.linspace:
            kwargs.setdefault("device", "cpu")
        return function(*args, **kwargs)
