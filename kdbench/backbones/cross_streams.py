"""Two networks of which one multiplies what the other reads.

After Spatiotemporal Multiplier Networks for Video Action Recognition (Feichtenhofer et al., CVPR 2017).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from ..registry import BACKBONES, near
from .blocks import TemporalCNN
from .multimodal import LateFusion

GATES = ("learned", "plain")


class Gate(nn.Module):
    """What multiplies a map ``(B, C, T)``: that of the other network ``(B, C', T')``, through a map from C' to C.

    It starts at zero, so that two networks that were trained alone begin as they were.
    """

    def __init__(self, giver_channels: int, taker_channels: int):
        super().__init__()
        self.map = nn.Conv1d(giver_channels, taker_channels, kernel_size=1)
        nn.init.zeros_(self.map.weight)
        nn.init.zeros_(self.map.bias)

    def forward(self, given: Tensor, frames: int) -> Tensor:
        return nn.functional.interpolate(self.map(given), frames, mode="linear", align_corners=False)


@BACKBONES.register_module()
class CrossStreams(LateFusion):
    """Late fusion of two networks of which the first, the giver, also multiplies what the second, the taker, reads.

    Before each block of the taker but the first, its convolutions read ``x + x * g`` in place of ``x``, where ``g`` is
    the giver's output of the block before; the shortcut and the giver stay as they are. ``gates="learned"`` maps ``g``
    to the taker's channels and times; ``"plain"``, the published form, takes it as it is, for equal ones. The logits
    are the mean of both networks' logits.

    ``members`` are configs of networks with as many residual blocks over time, such as SkeletonCNN, InertialCNN and
    VideoCNN; weights and taps are as in LateFusion. These are the second and fourth step of Modality Distillation with
    Multiple Stream Networks (Garcia et al., ECCV 2018), from its released code, which multiplies by the giver's block
    in four places of a ResNet-50; learned gates are ours, since our two networks differ in width.
    """

    def __init__(
        self,
        num_classes: int,
        members: Sequence[Mapping[str, Any]],
        gates: str = "learned",
        lead: int = 0,
    ):
        if gates not in GATES:
            raise ValueError(f"gates '{gates}' are unknown; {near(gates, GATES)}")
        super().__init__(num_classes, members, fusion="logits", lead=lead)
        giver, taker = _blocks(self.members)
        widths = [
            (before.norm2.num_features, after.conv1.in_channels)
            for before, after in zip(giver, taker[1:], strict=False)
        ]
        if gates == "plain" and any(one != other for one, other in widths):
            raise ValueError(f'gates="plain" wants equal channels; there is: {widths}; take gates="learned"')
        self.gates = nn.ModuleList(Gate(*pair) for pair in widths) if gates == "learned" else None

    def _embedded(self, inputs: Sequence[Sequence[Tensor]]) -> list[Tensor]:
        giver, taker = self.members
        given, x = (member.begin(*values) for member, values in zip(self.members, inputs, strict=True))
        for place, (giving, taking) in enumerate(zip(giver.body.blocks, taker.body.blocks, strict=True)):
            x = taking(x, x + x * self._gate(place - 1, given, x) if place else None)
            given = giving(given)
        return [giver.pool(given), taker.pool(x)]

    def _gate(self, place: int, given: Tensor, x: Tensor) -> Tensor:
        if self.gates is not None:
            return self.gates[place](given, x.shape[-1])
        if given.shape != x.shape:
            raise ValueError(
                f'gates="plain" multiplies maps of equal shape; there is: {tuple(given.shape)} and {tuple(x.shape)}; '
                'take gates="learned"'
            )
        return given


def _blocks(members: Sequence[nn.Module]) -> list[nn.ModuleList]:
    """The residual blocks of the giver and the taker."""
    bodies = [getattr(member, "body", None) for member in members]
    names = ", ".join(type(member).__name__ for member in members)
    if len(bodies) != 2 or not all(isinstance(body, TemporalCNN) for body in bodies):
        raise ValueError(
            f"CrossStreams joins two networks with residual blocks over time; there is: {names}; take SkeletonCNN, "
            "InertialCNN or VideoCNN"
        )
    counts = [len(body.blocks) for body in bodies]
    if counts[0] != counts[1]:
        raise ValueError(f"CrossStreams joins as many blocks of both networks; there is: {counts} of {names}")
    return [body.blocks for body in bodies]
