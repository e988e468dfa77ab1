"""The step from a loss to new weights: precision, clipping, and no wait for the device."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import Tensor, nn

from ..registry import near

AUTO = "auto"
PRECISIONS = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}


def precision_of(name: str, device_type: str) -> torch.dtype | None:
    """The autocast type of ``name``, None for full precision; ``"auto"`` is bfloat16 on a CPU, else float16.

    >>> precision_of("auto", "cpu")
    torch.bfloat16
    """
    if name == AUTO:
        name = "bfloat16" if device_type == "cpu" else "float16"
    if name not in PRECISIONS:
        raise ValueError(f"no precision is called '{name}'; {near(name, [*PRECISIONS, AUTO])}")
    return PRECISIONS[name]


@OPTIM_WRAPPERS.register_module()
class PrecisionOptimWrapper(OptimWrapper):
    """mmengine's wrapper for any device and precision; float16 scales the loss.

    The last norm of the gradients before clipping is ``grad_norm``, a tensor on the device.
    """

    def __init__(self, precision: str = "float32", device_type: str | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.device_type = device_type or get_device().split(":")[0]
        self.dtype = precision_of(precision, self.device_type)
        self.scaler = torch.amp.GradScaler(self.device_type, enabled=self.dtype is torch.float16)
        self.grad_norm: Tensor | None = None

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Autocast, and no gradient synchronisation while gradients accumulate."""
        with super().optim_context(model):
            if self.dtype is None:
                yield
                return
            with torch.autocast(self.device_type, dtype=self.dtype):
                yield

    def backward(self, loss: Tensor, **kwargs: Any) -> None:
        """Back-propagate the scaled loss."""
        self.scaler.scale(loss).backward(**kwargs)
        self._inner_count += 1

    def step(self, **kwargs: Any) -> None:
        """Clip and update; a float16 step whose gradients overflowed changes no weight."""
        if self.clip_grad_kwargs:
            self.scaler.unscale_(self.optimizer)
            self._clip_grad()
        self.scaler.step(self.optimizer, **kwargs)
        self.scaler.update()

    def _clip_grad(self) -> None:
        # mmengine reads the norm as a number here, which waits for the device in every step.
        groups = self.optimizer.param_groups
        parameters = [p for group in groups for p in group["params"] if p.grad is not None]
        if parameters:
            self.grad_norm = self.clip_func(parameters, **self.clip_grad_kwargs)

    def state_dict(self) -> dict[str, Any]:
        """The optimiser's and the loss scaler's state."""
        return {**super().state_dict(), "scaler": self.scaler.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what ``state_dict`` returned."""
        state = dict(state_dict)
        scaler = state.pop("scaler", None)
        if scaler and self.scaler.is_enabled():
            self.scaler.load_state_dict(scaler)
        super().load_state_dict(state)
