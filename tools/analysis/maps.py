"""Where a network looks in each picture: attention of a vision transformer, gradient x activation of a CNN."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kdbench.taps import Taps

ATTENTION = "frame_attention"


def rollout(layers: Sequence[Tensor]) -> Tensor:
    """How much of each patch reaches the class token: ``[(N, heads, 1 + P, 1 + P)]``, first layer first, to ``(N, P)``.

    The product over layers of the mean attention of all heads, half of it passed on as it is for the residual
    connection (Abnar & Zuidema, ACL 2020).
    """
    total = torch.eye(layers[0].shape[-1], device=layers[0].device)
    for attention in layers:
        total = (attention.mean(1) + torch.eye(attention.shape[-1], device=attention.device)) / 2 @ total
    return total[:, 0, 1:]


def last_layer(layers: Sequence[Tensor]) -> Tensor:
    """What the class token reads in the last layer, the mean of all heads: ``(N, P)``."""
    return layers[-1].mean(1)[:, 0, 1:]


def evidence(activation: Tensor, gradient: Tensor, cam: str = "elementwise") -> Tensor:
    """Where an activation ``(N, C, h, w)`` speaks for the score that ``gradient`` is of: ``(N, h, w)``, not negative.

    ``"elementwise"`` sums gradient x activation over channels (HiResCAM: Draelos & Carin, 2020), which stays right
    where a network flattens its map, as ``FrameCNN`` does. ``"pooled"`` takes the mean gradient of a channel instead
    (Grad-CAM: Selvaraju et al., ICCV 2017).
    """
    weight = gradient.mean((2, 3), keepdim=True) if cam == "pooled" else gradient
    return (weight * activation).sum(1).relu()


def decision(outputs: Mapping[str, Tensor], target: Tensor) -> Tensor:
    """The score that maps explain: logits of each clip's classes, summed, of every view and frame on its own if known.

    ``target`` is ``(B, K)``. Where a clip has no label, its highest class counts. A decision on the whole clip would
    say nothing of views and frames that the fusion left out.
    """
    name = next(n for n in ("view_frame_logits", "view_logits", "logits") if n in outputs)
    best = F.one_hot(outputs["logits"].argmax(-1), target.shape[-1])
    wanted = torch.where((target > 0.5).any(-1, keepdim=True), target > 0.5, best.bool())
    logits = outputs[name]
    wanted = wanted.view(len(wanted), *(1,) * (logits.ndim - 2), -1)
    return (logits * wanted).sum()


def picture_maps(
    network: nn.Module,
    inputs: Sequence[Tensor],
    modality: str,
    target: Tensor,
    way: str = "rollout",
    cam: str = "elementwise",
    rows: int = 6,
) -> Tensor:
    """Where the network's encoder of ``modality`` looks in each picture: ``(B, V, T, H, W)``, not negative, sum one.

    A transformer gives the attention of its class token (``way``), any other encoder ``evidence`` (``cam``) at its
    last layer with at least ``rows`` rows of positions.
    """
    encoder = network.encoders[modality]
    pictures = inputs[network.reads.index(modality)]
    is_patches = ATTENTION in getattr(encoder, "taps", {})
    if is_patches:
        with torch.no_grad(), Taps(encoder, encoder.taps).reading() as tapped:
            network(*inputs)
        found = rollout(tapped[ATTENTION]) if way == "rollout" else last_layer(tapped[ATTENTION])
        found = found.unflatten(-1, _grid(found.shape[-1], pictures.shape[-2:]))
    else:
        found = _all_pictures(_explained(network, encoder, inputs, target, cam, rows), pictures)
    return at_pixels(found.unflatten(0, pictures.shape[:3]), pictures.shape[-2:], is_patches)


def _explained(
    network: nn.Module, encoder: nn.Module, inputs: Sequence[Tensor], target: Tensor, cam: str, rows: int
) -> Tensor:
    """The ``evidence`` for the clips' classes, ``(B * V * T, h, w)``."""
    with torch.enable_grad(), _last_map(encoder, rows) as kept:
        score = decision(network(*inputs), target)
    if not kept:
        raise ValueError(
            f"{type(encoder).__name__} has no map (N, C, h, w) of {rows} rows or more; give --rows a smaller number"
        )
    (gradient,) = torch.autograd.grad(score, kept[-1])
    return evidence(kept[-1].detach(), gradient, cam)


def _all_pictures(found: Tensor, pictures: Tensor) -> Tensor:
    """Maps of all pictures; an encoder may leave out those that are zero everywhere, which have no map then."""
    shown = pictures.flatten(0, 2).flatten(1).any(1)
    if len(found) == len(shown):
        return found
    return found.new_zeros(len(shown), *found.shape[1:]).index_put((shown,), found)


@contextmanager
def _last_map(encoder: nn.Module, rows: int) -> Iterator[list[Tensor]]:
    """The last output of any layer that still has ``rows`` rows of positions; outer layers come after inner ones."""
    kept: list[Tensor] = []

    def keep(module: nn.Module, _: Any, output: Any) -> None:
        if (
            isinstance(output, Tensor)
            and output.ndim == 4
            and output.shape[-2] >= rows
            and output.requires_grad
        ):
            kept[:] = [output]

    hooks = [module.register_forward_hook(keep) for module in encoder.modules() if module is not encoder]
    try:
        yield kept
    finally:
        for hook in hooks:
            hook.remove()


def _grid(patches: int, size: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of ``patches`` square patches of a picture of this size."""
    side = round((size[0] * size[1] / patches) ** 0.5)
    return size[0] // side, size[1] // side


def at_pixels(maps: Tensor, size: tuple[int, int], is_patches: bool) -> Tensor:
    """Maps ``(..., h, w)`` at the pictures' size, each summing to one; one that is zero everywhere stays so.

    A patch lies around the middle of its pixels; a position of padded convolutions of odd size around the first.
    """
    flat = maps.flatten(0, -3)[:, None].float()
    places = [_places(*ends, is_patches).to(flat.device) for ends in zip(size, maps.shape[-2:], strict=True)]
    grid = torch.stack(torch.meshgrid(*places, indexing="ij")[::-1], -1)
    grid = grid.expand(len(flat), -1, -1, -1)
    larger = F.grid_sample(flat, grid, padding_mode="border", align_corners=True)
    total = larger.sum((2, 3), keepdim=True)
    return (larger / total.clamp(min=torch.finfo(larger.dtype).tiny))[:, 0].unflatten(0, maps.shape[:-2])


def _places(pixels: int, positions: int, is_patches: bool) -> Tensor:
    """Where each pixel lies between the first position, -1, and the last, 1."""
    stride = pixels / positions
    first = (stride - 1) / 2 if is_patches else 0.0
    return 2 * (torch.arange(pixels) - first) / (stride * max(positions - 1, 1)) - 1


def share_on(maps: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """The share of each map that falls on its mask, and the mask's share of the area, ``(..., H, W)`` to ``(...)``.

    ``mask`` is bool. NaN where a mask is empty or a map is zero everywhere.
    """
    area = mask.float().mean((-2, -1))
    share = (maps * mask).sum((-2, -1))
    is_defined = mask.any(-1).any(-1) & (maps.sum((-2, -1)) > 0.5)
    nothing = torch.full_like(area, torch.nan)
    return torch.where(is_defined, share, nothing), torch.where(is_defined, area, nothing)
