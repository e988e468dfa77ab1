"""Networks of other packages as students, as teachers, and as encoders of multi-view networks."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ...registry import BACKBONES
from ..blocks import ENCODERS, prefixed
from ..frame_encoders import Pretrained
from ..multimodal import mean_logits
from .axes import over_time
from .layouts import NDIM
from .network import Foreign


@BACKBONES.register_module()
class External(nn.Module):
    """A network of another package with a linear classifier; reads one modality, ``(B, ...)`` or ``(B, V, ...)``.

    ``network`` are the arguments of ``Foreign``, its ``name`` first. ``modality`` is what it reads. ``head`` is the
    place of a linear classifier in its file of weights, which then is the classifier here (same classes, same order);
    a teacher that comes from another project has both.

    Views are folded into the batch and decide together: ``fusion`` is as in ``mean_logits``. With views it gives
    ``logits`` ``(B, K)`` and ``view_logits`` ``(B, V, K)``, else logits alone. Taps: ``embedding`` ``(B, width)``,
    ``stages`` ``[(B, C, ...)]``, with ``B * V`` in place of ``B`` where there are views; any place inside is below
    ``network.net``.
    """

    def __init__(
        self,
        num_classes: int,
        network: Mapping[str, Any],
        modality: str = "rgb",
        dropout: float = 0.0,
        head: str | None = None,
        fusion: str = "logits",
    ):
        super().__init__()
        self.reads, self.head, self.fusion = (modality,), head, fusion
        self.network = Foreign(**network)
        self.width = self.network.width
        self.fc = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.width, num_classes))
        self.taps: dict[str, str | Sequence[str]] = {
            **prefixed("network", self.network.taps),
            "embedding": "fc:in",
        }

    @property
    def has_own_weights(self) -> bool:
        """Whether the classifier, too, comes from the file of weights."""
        return self.head is not None and self.network.weights is not None

    def load_own_weights(self) -> None:
        """Read the network's file of weights, and the classifier in it if ``head`` names one."""
        self.network.load_own_weights()
        if self.has_own_weights and self.head is not None:
            found = self.network.head_in(self.head)
            linear = self.fc[1]
            if found["weight"].shape != linear.weight.shape:
                raise ValueError(
                    f"the classifier '{self.head}' of {self.network.weights} is for {len(found['bias'])} classes; "
                    f"there is: {linear.out_features}"
                )
            linear.load_state_dict(found)

    def embed(self, clip: Tensor) -> Tensor:
        """The embedding ``(B, width)`` before the classifier."""
        return self.network.checked(self.network(clip, maps=False).vector, axis=1)

    def forward(self, clip: Tensor) -> Tensor | dict[str, Tensor]:
        if clip.ndim <= NDIM[self.network.kind]:
            return self.fc(self.embed(clip))
        views = self.fc(self.embed(clip.flatten(0, 1))).unflatten(0, (-1, clip.shape[1]))
        return {"logits": mean_logits(views.transpose(0, 1), self.fusion), "view_logits": views}


@ENCODERS.register_module()
class ExternalFrames(Pretrained):
    """A network of another package as a frame encoder: ``(B, T, ...)`` to ``(B, T, width)``.

    ``network`` are the arguments of ``Foreign``. Features of fewer steps than there are frames are interpolated over
    time; a network for pictures sees each frame alone. Its ``width`` is that of its maps.
    """

    def __init__(self, network: Mapping[str, Any]):
        super().__init__(network.get("weights"))
        self.network = Foreign(**{"stages": (), **network})
        self.width = self.network.width

    def load_own_weights(self) -> None:
        """Read the network's file of weights, if there is one."""
        self.network.load_own_weights()

    def forward(self, clip: Tensor) -> Tensor:
        steps = [over_time(found, clip.shape[1]) for found in self.network(clip).maps]
        return self.network.checked(torch.cat(steps, 2), axis=2)
