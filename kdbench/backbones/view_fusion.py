"""Several views into one: features or decisions, with views that are not there left out."""

import torch
from torch import Tensor, nn

from ..registry import near

FUSIONS = ("max", "mean", "sum", "concat", "late")


def fuse_views(x: Tensor, kind: str, keep: Tensor | None = None) -> Tensor:
    """Views ``(B, V, ..., D)`` into one: ``(B, ..., D)``, for ``"concat"`` ``(B, ..., V * D)``.

    ``keep`` ``(B, V, ...)`` says which views are there; the others have no influence, and no view at all gives zeros.
    ``"late"`` fuses decisions, not features (see ``ViewHead``): what it gives here is the maximum.

    >>> x = torch.tensor([[[1.0, 5.0], [3.0, 2.0], [9.0, 9.0]]])
    >>> fuse_views(x, "max", torch.tensor([[True, True, False]]))
    tensor([[3., 5.]])
    """
    if kind not in FUSIONS:
        raise ValueError(f"the view fusion '{kind}' is unknown; {near(kind, FUSIONS)}")
    keep = torch.ones(x.shape[:-1], dtype=torch.bool, device=x.device) if keep is None else keep
    keep, nothing = keep.unsqueeze(-1), x.new_zeros(())
    if kind in ("max", "late"):
        highest = x.masked_fill(~keep, torch.finfo(x.dtype).min).amax(1)
        return torch.where(keep.any(1), highest, nothing)
    x = torch.where(keep, x, nothing)
    if kind == "concat":
        return x.movedim(1, -2).flatten(-2)
    return x.sum(1) if kind == "sum" else x.sum(1) / keep.sum(1).clamp(min=1)


def check_views(found: int, expected: int | None) -> None:
    """A ``ValueError`` for clips with another number of views than a classifier of ``"concat"`` is made for."""
    if found != expected:
        raise ValueError(f"clips of {found} views; there is: a classifier of {expected}")


class ViewHead(nn.Module):
    """A linear classifier of each view alone and of their fusion: ``(B, V, ..., D)`` to ``(B, V + 1, ..., K)``.

    The last is the fusion. ``kind`` is one of ``FUSIONS``: the fused features are classified, except by ``"late"``,
    the maximum over the views' own logits. ``"concat"`` needs ``num_views``; its view alone has zeros for the others.
    """

    def __init__(self, kind: str, width: int, num_classes: int, num_views: int | None = None):
        super().__init__()
        if kind not in FUSIONS:
            raise ValueError(f"the view fusion '{kind}' is unknown; {near(kind, FUSIONS)}")
        if kind == "concat" and num_views is None:
            raise ValueError("the view fusion 'concat' depends on the number of views; give num_views")
        self.kind, self.num_views = kind, num_views
        self.fc = nn.Linear(width * (num_views or 1) if kind == "concat" else width, num_classes)

    def forward(self, x: Tensor, keep: Tensor | None = None) -> Tensor:
        views = x.shape[1]
        if self.kind == "late":
            logits = self.fc(x)
            return torch.cat((logits, fuse_views(logits, "late", keep)[:, None]), 1)
        if self.kind == "concat":
            check_views(views, self.num_views)
            same = torch.eye(views, dtype=torch.bool, device=x.device)
            # Row v has view v at its own place and zeros elsewhere.
            spread = torch.where(same.view(views, views, *(1,) * (x.ndim - 2)), x[:, None], x.new_zeros(()))
            alone = spread.movedim(2, -2).flatten(-2)
        else:
            alone = x
        return self.fc(torch.cat((alone, fuse_views(x, self.kind, keep)[:, None]), 1))
