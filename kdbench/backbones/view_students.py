"""One student for each view of a clip."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..mixture import log_mean
from ..registry import BACKBONES
from .multimodal import Members


@BACKBONES.register_module()
class ViewStudents(nn.Module):
    """A network of its own for each view, or one that all views share; they decide together and alone.

    ``network`` is the config of a single-clip network with ``embed`` and ``fc``. Inputs are ``(B, V, ...)`` with V =
    ``views``. Gives ``logits`` ``(B, K)``, the log of the mean probability over views; ``peers`` and ``view_logits``
    ``(B, V, K)``, each student's own; ``view_embeddings`` ``(B, V, D)``. Shared, the views are folded into the batch.

    ``view_mask`` names a further input ``(B, V)``, above 0.5 where a view is there. A clip whose view is absent is not
    seen by its student, so it has no part in the statistics of batch norm either (unless a whole batch lacks the view);
    its logits and embedding are zeros, and the other views decide. The mask is given as ``view_shown`` ``(B, V)`` bool.
    A clip without any view is seen as it is.
    """

    taps: Mapping[str, Any] = {}

    def __init__(
        self,
        num_classes: int,
        network: Mapping[str, Any],
        views: int = 3,
        shared: bool = False,
        view_mask: str | None = None,
    ):
        super().__init__()
        self.views, self.shared, self.view_mask = views, shared, view_mask
        self.networks = Members([network] * (1 if shared else views), num_classes)
        self.reads = self.networks.reads + ((view_mask,) if view_mask else ())
        strange = type(self.networks[0]).__name__
        if not hasattr(self.networks[0], "embed"):
            raise ValueError(f"ViewStudents are single-clip networks; {strange} is none")

    def forward(self, *inputs: Tensor) -> dict[str, Tensor]:
        found = inputs[0].shape[1]
        if found != self.views:
            raise ValueError(f"{found} views a clip; there are students for views={self.views}")
        shown = None
        if len(inputs) > len(self.networks.reads):  # also where a test takes views away that no input does
            *inputs, mask = inputs
            shown = mask > 0.5
            shown = shown | ~shown.any(1, keepdim=True)
        embeddings, peers = self._seen(inputs, shown)
        out = {
            "logits": log_mean(peers.float().log_softmax(2), shown),
            "peers": peers,
            "view_logits": peers,
            "view_embeddings": embeddings,
        }
        return out if shown is None else {**out, "view_shown": shown}

    def _seen(self, inputs: Sequence[Tensor], shown: Tensor | None) -> tuple[Tensor, Tensor]:
        """Embeddings ``(B, V, D)`` and logits ``(B, V, K)`` of all views."""
        if self.shared:
            mask = None if shown is None else shown.flatten()
            pair = _one_view(self.networks[0], [x.flatten(0, 1) for x in inputs], mask)
            embeddings, peers = (x.unflatten(0, (-1, self.views)) for x in pair)
            return embeddings, peers
        each = [
            _one_view(network, [x[:, view] for x in inputs], None if shown is None else shown[:, view])
            for view, network in enumerate(self.networks)
        ]
        embeddings, peers = (torch.stack(rows, 1) for rows in zip(*each, strict=True))
        return embeddings, peers


def _one_view(network: nn.Module, inputs: Sequence[Tensor], shown: Tensor | None) -> tuple[Tensor, Tensor]:
    """Embeddings ``(B, D)`` and logits ``(B, K)``; zeros for clips that are not ``shown`` ``(B,)``."""
    # A file cannot leave clips out; its logits are those of the views that are shown all the same.
    if shown is None or torch.compiler.is_exporting() or bool(shown.all()):
        embeddings = network.embed(*inputs)
        return embeddings, network.fc(embeddings)
    chosen = shown if shown.any() else torch.ones_like(shown)
    embeddings = network.embed(*(x[chosen] for x in inputs))
    return _placed(embeddings, chosen, shown), _placed(network.fc(embeddings), chosen, shown)


def _placed(rows: Tensor, chosen: Tensor, shown: Tensor) -> Tensor:
    """Rows of the chosen clips in their places, zeros in those of clips that are not shown."""
    return rows.new_zeros(len(shown), rows.shape[1]).index_put((chosen,), rows) * shown[:, None]
