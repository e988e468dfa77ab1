"""One student for each view of a clip."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..registry import BACKBONES
from .multimodal import Members, mean_logits


@BACKBONES.register_module()
class ViewStudents(nn.Module):
    """A network of its own for each view, or one that all views share; they decide together and alone.

    ``network`` is the config of a single-clip network with ``embed`` and ``fc``. Inputs are ``(B, V, ...)`` with V =
    ``views``. Gives ``logits`` ``(B, K)``, the log of the mean probability over views; ``peers`` and ``view_logits``
    ``(B, V, K)``, each student's own; ``view_embeddings`` ``(B, V, D)``. Shared, the views are folded into the batch.
    """

    taps: Mapping[str, Any] = {}

    def __init__(self, num_classes: int, network: Mapping[str, Any], views: int = 3, shared: bool = False):
        super().__init__()
        self.views, self.shared = views, shared
        self.networks = Members([network] * (1 if shared else views), num_classes)
        self.reads = self.networks.reads
        strange = type(self.networks[0]).__name__
        if not hasattr(self.networks[0], "embed"):
            raise ValueError(f"ViewStudents are single-clip networks; {strange} is none")

    def forward(self, *inputs: Tensor) -> dict[str, Tensor]:
        found = inputs[0].shape[1]
        if found != self.views:
            raise ValueError(f"{found} views a clip; there are students for views={self.views}")
        if self.shared:
            network = self.networks[0]
            embeddings = network.embed(*(x.flatten(0, 1) for x in inputs)).unflatten(0, (-1, self.views))
            peers = network.fc(embeddings.flatten(0, 1)).unflatten(0, (-1, self.views))
        else:
            each = [
                network.embed(*(x[:, view] for x in inputs)) for view, network in enumerate(self.networks)
            ]
            peers = torch.stack([network.fc(x) for network, x in zip(self.networks, each, strict=True)], 1)
            embeddings = torch.stack(each, 1)
        return {
            "logits": mean_logits(peers.transpose(0, 1)),
            "peers": peers,
            "view_logits": peers,
            "view_embeddings": embeddings,
        }
