"""The step from a loss to new weights: precision, clipping, and no wait for the device."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import Tensor, nn

from ..registry import near

AUTO = "auto"
_SLOW = "this CPU has no kernels for bfloat16, slower on it than float32 by far; take --amp auto, or none"
PRECISIONS = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}


def computes_bfloat16() -> bool:
    """Whether oneDNN has bfloat16 kernels for this CPU (AVX-512, AMX and their like).

    Without them PyTorch convolves in plain loops: a step of the depth network took 2.4 s on such a CPU, 0.27 s in
    float32.
    """
    if not torch.backends.mkldnn.is_available():
        return False
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def settled(name: str, device_type: str) -> str:
    """One of ``PRECISIONS``. ``"auto"`` is float16 on a GPU, on a CPU bfloat16 where it computes that, else float32.

    >>> settled("auto", "cuda"), settled("float32", "cpu")
    ('float16', 'float32')
    """
    if name == AUTO:
        on_cpu = "bfloat16" if computes_bfloat16() else "float32"
        return on_cpu if device_type == "cpu" else "float16"
    if name not in PRECISIONS:
        raise ValueError(f"no precision is called '{name}'; {near(name, [*PRECISIONS, AUTO])}")
    return name


def may_be(name: str, was: str, device_type: str) -> bool:
    """Whether a run that asked for ``name`` may have computed in ``was``: on another CPU ``"auto"`` is another one."""
    if name == AUTO:
        return was == AUTO or was in (("bfloat16", "float32") if device_type == "cpu" else ("float16",))
    return was == name


@OPTIM_WRAPPERS.register_module()
class PrecisionOptimWrapper(OptimWrapper):
    """mmengine's wrapper for any device and precision; float16 scales the loss.

    The last norm of the gradients before clipping is ``grad_norm``, a tensor on the device.
    """

    def __init__(self, precision: str = "float32", device_type: str | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.device_type = device_type or get_device().split(":")[0]
        self.dtype = PRECISIONS[settled(precision, self.device_type)]
        if self.dtype is torch.bfloat16 and self.device_type == "cpu" and not computes_bfloat16():
            print_log(_SLOW, "current", logging.WARNING)
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
