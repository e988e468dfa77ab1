"""Operators of mmcv in torch, for mmcv-lite, which has none that is compiled."""

import importlib.util
import math
import sys
from typing import Any

from ..spec import MissingPackageError
from .modules import empty_module


def provide_mmcv_operators() -> None:
    """The operators of mmcv that detectors need when they run, in torch; the others raise when called.

    Symptom: with mmcv-lite, a wheel without the compiled part, ``import mmdet.apis`` raises
    ``ModuleNotFoundError: No module named 'mmcv._ext'``. Needless with full mmcv, which has to be compiled.
    """
    if "mmcv._ext" in sys.modules or importlib.util.find_spec("mmcv") is None:
        return
    if importlib.util.find_spec("mmcv._ext") is not None:
        return
    stub = empty_module("mmcv._ext")
    stub.__getattr__ = absent_operator  # type: ignore[method-assign]
    stub.nms, stub.roi_align_forward = nms, roi_align  # type: ignore[attr-defined]
    sys.modules[stub.__name__] = stub


def absent_operator(name: str) -> Any:
    """Stands for an operator that is not here, and says so when it is called."""
    if name.startswith("__"):
        raise AttributeError(name)

    def operator(*_: Any, **__: Any) -> None:
        raise MissingPackageError(
            f"mmcv's operator '{name}' needs full mmcv; mmcv-lite has none that is compiled"
        )

    return operator


def nms(boxes: Any, scores: Any, iou_threshold: float, offset: int = 0) -> Any:
    """As ``mmcv._ext.nms``: the boxes ``(n, 4)`` that stay, the surest first, as indices."""
    import torch

    left, kept = scores.argsort(descending=True, stable=True).cpu(), []  # box after box is slow on a GPU
    low, high = boxes[:, :2].cpu(), boxes[:, 2:].cpu() + offset
    area = (high - low).prod(dim=1)
    while len(left):
        best, left = left[0], left[1:]
        kept.append(best)
        common = torch.minimum(high[best], high[left]) - torch.maximum(low[best], low[left])
        common = common.clamp(min=0).prod(dim=1)
        left = left[common <= iou_threshold * (area[best] + area[left] - common)]
    return torch.tensor(kept, dtype=torch.int64, device=boxes.device)


def roi_align(
    picture: Any,
    rois: Any,
    output: Any,
    argmax_y: Any,
    argmax_x: Any,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """As ``mmcv._ext.roi_align_forward`` with means: RoIAlign (He et al., ICCV 2017, sec. 3) into ``output``.

    ``picture`` is ``(B, C, H, W)``, ``rois`` ``(n, 5)``: number of the picture, x0, y0, x1, y1; ``output`` ``(n, C,
    aligned_height, aligned_width)``. Bilinear reading and means both work on rows and columns one after the other, so a
    bin is ``rows @ picture @ columns^T``. Without ``sampling_ratio`` there is a sample a pixel.
    """
    if pool_mode != 1:
        raise MissingPackageError("mmcv's RoIAlign with maxima needs full mmcv; take pool_mode='avg'")
    shift = 0.5 if aligned else 0.0
    for number, (which, *corners) in enumerate(rois.tolist()):
        x0, y0, x1, y1 = (corner * spatial_scale - shift for corner in corners)
        rows, columns = (
            _bins(low, high, bins, picture.shape[axis], sampling_ratio, aligned).to(picture)
            for low, high, bins, axis in ((y0, y1, aligned_height, 2), (x0, x1, aligned_width, 3))
        )
        output[number] = rows @ picture[int(which)] @ columns.T


def _bins(low: float, high: float, bins: int, length: int, sampling_ratio: int, aligned: bool) -> Any:
    """What each of ``length`` pixels counts in each bin between two places, ``(bins, length)``.

    A sample more than a pixel outside of the picture counts as zero, one nearer than that as the pixel at the border.
    """
    import torch

    size = (high - low if aligned else max(high - low, 1.0)) / bins
    samples = sampling_ratio if sampling_ratio > 0 else max(math.ceil(size), 1)
    place = low + (torch.arange(bins * samples, dtype=torch.float64) + 0.5) * size / samples
    inside = ((place >= -1) & (place <= length)).double()
    place = place.clamp(0, length - 1)
    first = place.floor().long().clamp(max=max(length - 2, 0))
    weights = torch.zeros(bins * samples, length, dtype=torch.float64)
    share = place - first
    weights.scatter_(1, first[:, None], ((1 - share) * inside)[:, None])
    if length > 1:
        weights.scatter_(1, first[:, None] + 1, (share * inside)[:, None])
    return weights.unflatten(0, (bins, samples)).mean(1)
