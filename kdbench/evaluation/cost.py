"""What a model costs: parameters, operations and latency."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
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


def gflops(model: nn.Module, *inputs: Tensor) -> float:
    """Floating-point operations of one forward in 10^9, a multiplication and an addition counted as two.

    Matrix products, convolutions and attention are counted, element-wise operations are not.

    >>> gflops(nn.Linear(1000, 500), torch.zeros(1000, 1000))
    1.0
    """
    with _evaluating(model), FlopCounterMode(display=False) as counter:
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
