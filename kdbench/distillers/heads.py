"""From a stage to the classes: the pooling before a network's last linear layer, found from its outputs."""

from collections.abc import Callable

import torch
from torch import Tensor

from .stages import Shape


def _mean(stage: Tensor) -> Tensor:
    return stage.flatten(2).mean(2) if stage.dim() > 2 else stage


def _mean_max(stage: Tensor) -> Tensor:
    positions = stage.reshape(*stage.shape[:2], -1)
    return torch.cat((positions.mean(2), positions.amax(2)), 1)


POOLINGS: dict[str, Callable[[Tensor], Tensor]] = {"mean": _mean, "mean_max": _mean_max}


def pooling_of(method: str, role: str, stage: Tensor, embedding: Tensor) -> str:
    """How ``embedding`` ``(B, D)`` was pooled from the last ``stage`` ``(B, C, ...)``: a name in ``POOLINGS``.

    A stage that is the same everywhere does not tell, so the network should have seen noise. No pooling that is known
    is a ``ValueError``.

    >>> pooling_of("X", "teacher", torch.eye(2)[None], torch.tensor([[0.5, 0.5, 1.0, 1.0]]))
    'mean_max'
    """
    for name, pool in POOLINGS.items():
        pooled = pool(stage)
        if pooled.shape == embedding.shape and torch.allclose(pooled, embedding, rtol=1e-3, atol=1e-5):
            return name
    raise ValueError(
        f"{method} puts the {role}'s last linear layer on its last stage; the embedding {tuple(embedding.shape[1:])} "
        f"is not the stage {tuple(stage.shape[1:])} pooled by {' or '.join(POOLINGS)}; take a network that ends so, "
        "or tap the map that it pools as its last stage"
    )


def class_maps(stage: Tensor, weight: Tensor, bias: Tensor | None, pooling: str = "mean") -> Tensor:
    """The last linear layer at each position of a stage ``(B, C, ...)`` as if it were all: ``(B, K, ...)``.

    After mean pooling their average over positions is the logits. ``weight`` is ``(K, D)`` and ``bias`` ``(K,)``.
    After ``"mean_max"`` one position is its own mean and maximum, so that the two halves of ``weight`` add up.

    >>> class_maps(torch.eye(2)[None], torch.ones(3, 2), None).shape
    torch.Size([1, 3, 2])
    """
    if pooling == "mean_max":
        weight = weight.unflatten(1, (2, -1)).sum(1)
    maps = weight @ stage.flatten(2) if stage.dim() > 2 else (weight @ stage[..., None])
    maps = maps if bias is None else maps + bias[:, None]
    return maps.reshape(len(stage), len(weight), *stage.shape[2:])


def check_pooling(pooling: str) -> str:
    """``pooling`` if there is one of this name."""
    if pooling not in POOLINGS:
        raise ValueError(f"pooling '{pooling}' is unknown; there is: {', '.join(POOLINGS)}")
    return pooling


def pooled_width(shape: Shape, pooling: str) -> int:
    """The width of the embedding that a stage ``(C, ...)`` gives."""
    return shape[0] * (2 if check_pooling(pooling) == "mean_max" else 1)
