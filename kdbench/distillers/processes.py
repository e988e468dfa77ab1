"""Statistics of a method over the batches of all processes, where there are several.

All that methods say to other processes goes through here, so that ``alone`` can keep them from it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
import torch.distributed as dist
from torch import Tensor

_IS_ALONE = ContextVar("_IS_ALONE", default=False)


@contextmanager
def alone() -> Iterator[None]:
    """Inside, ``world_size()`` is 1 and nothing is said to other processes.

    A rehearsal runs on the CPU before the model moves to its device, and processes that are joined by GPUs alone
    ("nccl") have no way to send a CPU tensor.
    """
    token = _IS_ALONE.set(True)
    try:
        yield
    finally:
        _IS_ALONE.reset(token)


def world_size() -> int:
    """How many processes train together; 1 where none were joined, and inside of ``alone``."""
    if _IS_ALONE.get():
        return 1
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def gathered(tensor: Tensor) -> list[Tensor]:
    """This tensor of every process; all have the same shape, because a sampler evens out the last batch."""
    if world_size() == 1:
        return [tensor]
    parts = [torch.empty_like(tensor) for _ in range(world_size())]
    dist.all_gather(parts, tensor.contiguous())
    return parts


def sum_over_processes(tensor: Tensor) -> Tensor:
    """The sum of this tensor over all processes, a constant; the tensor itself where there is one process."""
    if world_size() == 1:
        return tensor
    total = tensor.detach().clone()
    dist.all_reduce(total)
    return total


def mean_over_processes(tensor: Tensor) -> Tensor:
    """The mean of this tensor over all processes, a constant; the tensor itself where there is one process."""
    return sum_over_processes(tensor) / world_size()
