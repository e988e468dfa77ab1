"""Losses in at least single precision, whatever the models run in."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def precise(*tensors: Tensor) -> tuple[Tensor, ...]:
    """The tensors as float32, or as float64 where they are: a KL divergence of bfloat16 logits has two digits."""
    return tuple(tensor.to(torch.promote_types(tensor.dtype, torch.float32)) for tensor in tensors)


def without_autocast(like: Tensor) -> AbstractContextManager[None]:
    """Where products of tensors on the device of ``like`` keep their precision.

    The device "meta", which has shapes and no numbers, knows no autocast that could be switched off.
    """
    return nullcontext() if like.is_meta else torch.autocast(like.device.type, enabled=False)
