"""What a model costs: parameters, operations and latency."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True)
class Latency:
    """Milliseconds of one forward: the median and the 95th percentile."""

    p50: float
    p95: float


def parameters(model: nn.Module, trainable_only: bool = False) -> int:
    """The number of parameters, shared ones once.

    >>> parameters(nn.Linear(3, 2))
    8
    """
    return sum(p.numel() for p in model.parameters() if p.requires_grad or not trainable_only)


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """The model in eval mode without gradients; each module's own mode comes back at the end."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def _unfused() -> Iterator[None]:
    """Attention in matrix products; torch's counter takes the fused kernels of a CPU for no operations at all."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def _lstm_flops(x: torch.Size, inward: torch.Size, recurrent: torch.Size, *_: Any, **__: Any) -> int:
    """Operations of one layer and direction over ``(T, B, C)``, weights ``(4H, C)`` and ``(4H, H)``; all are shapes."""
    return 2 * prod(x[:-1]) * (prod(inward) + prod(recurrent))


# An LSTM on a CPU is one kernel. Without oneDNN it would be products, but convolutions would take more memory then.
_FUSED = {torch.ops.aten.mkldnn_rnn_layer: _lstm_flops}


def gflops(model: nn.Module, *inputs: Tensor) -> float:
    """Floating-point operations of one forward in 10^9, a multiplication and an addition counted as two.

    Matrix products, convolutions, attention (all pairs, also where a mask hides some) and recurrent layers are counted,
    element-wise operations are not. Recurrent layers on a GPU are not counted: cuDNN's are one kernel.

    >>> gflops(nn.Linear(1000, 500), torch.zeros(1000, 1000))
    1.0
    """
    with _evaluating(model), _unfused(), FlopCounterMode(display=False, custom_mapping=_FUSED) as counter:
        model(*inputs)
    return counter.get_total_flops() / 1e9


def gmacs(model: nn.Module, *inputs: Tensor) -> float:
    """Multiply-accumulates of one forward in 10^9, which many papers call FLOPs: half of ``gflops``."""
    return gflops(model, *inputs) / 2


def latency(model: nn.Module, *inputs: Tensor, repeats: int = 50, warmup: int = 5) -> Latency:
    """The time of one forward in eval mode on these inputs, on the device and with the threads as they are."""
    on_gpu = any(x.is_cuda for x in inputs)

    def forward() -> None:
        model(*inputs)
        if on_gpu:
            torch.cuda.synchronize()

    with _evaluating(model):
        return timed(forward, repeats, warmup)


def timed(
    call: Callable[[], object],
    repeats: int = 50,
    warmup: int = 5,
    clock: Callable[[], float] = time.perf_counter,
) -> Latency:
    """The time of a call, ``repeats`` times after ``warmup`` that do not count.

    ``clock`` gives seconds; ``time.process_time`` adds up all threads, and what else the machine does counts little.
    """
    if repeats < 1 or warmup < 0:
        raise ValueError(f"repeats={repeats}, warmup={warmup}; there is: repeats from 1, warmup from 0")
    milliseconds = []
    for _ in range(warmup + repeats):
        start = clock()
        call()
        milliseconds.append(1e3 * (clock() - start))
    p50, p95 = torch.tensor(milliseconds[warmup:]).quantile(torch.tensor([0.5, 0.95])).tolist()
    return Latency(p50, p95)
