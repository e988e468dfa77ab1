"""PoseC3D: a 3-D CNN over heat maps of joints."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..registry import BACKBONES, near

COORDINATES = ("image", "front")
MARGIN = 0.1  # of the box's longer side, left free around the person


class JointHeatMaps(nn.Module):
    """Gaussian heat maps of joints: ``(B, [M,] T, J, 3)`` to ``(B, J, T', size, size)``, values in [0, 1].

    ``coordinates="image"``: a joint is (x, y, score), x and y of any unit, score in [0, 1] its height; ``"front"``:
    positions in space (x to the side, y up), seen from the front, height 1. All persons of a clip share one square box
    around all their joints in all frames; of several persons the higher value counts. A person of zeros is nobody.
    ``frames`` are taken at even distances (Duan et al., CVPR 2022, sec. 3.3; sigma is 0.6 of a pixel at 56 x 56).
    """

    def __init__(self, frames: int = 48, size: int = 56, sigma: float = 0.6, coordinates: str = "image"):
        super().__init__()
        if coordinates not in COORDINATES:
            raise ValueError(f"coordinates='{coordinates}' is unknown; {near(coordinates, COORDINATES)}")
        self.frames, self.size, self.sigma, self.coordinates = frames, size, sigma, coordinates

    def forward(self, skeleton: Tensor) -> Tensor:
        joints = skeleton.unsqueeze(1) if skeleton.ndim == 4 else skeleton
        chosen = torch.linspace(0, joints.shape[2] - 1, self.frames, device=joints.device).round().long()
        places, height = self._places_and_heights(joints[:, :, chosen].float())
        pixel = torch.arange(self.size, device=joints.device, dtype=places.dtype)
        x, y = (torch.exp(-((places[..., i : i + 1] - pixel) ** 2) / (2 * self.sigma**2)) for i in (0, 1))
        maps = height[..., None, None] * y.unsqueeze(-1) * x.unsqueeze(-2)  # (B, M, T', J, S, S)
        return maps.amax(1).transpose(1, 2)

    def _places_and_heights(self, joints: Tensor) -> tuple[Tensor, Tensor]:
        """Pixels ``(B, M, T', J, 2)`` in the box and heights ``(B, M, T', J)``."""
        there = joints.abs().sum(-1) > 0
        place = joints[..., :2] * joints.new_tensor((1.0, -1.0 if self.coordinates == "front" else 1.0))
        height = joints[..., 2] if self.coordinates == "image" else torch.ones_like(joints[..., 2])
        low = place.masked_fill(~there[..., None], torch.inf).amin((1, 2, 3), keepdim=True)
        high = place.masked_fill(~there[..., None], -torch.inf).amax((1, 2, 3), keepdim=True)
        somebody = low.isfinite()
        low, high = low.where(somebody, 0.0), high.where(somebody, 1.0)
        side = (high - low).amax(-1, keepdim=True).clamp(min=1e-6) * (1 + 2 * MARGIN)
        scaled = ((place - (low + high) / 2) / side + 0.5) * (self.size - 1)
        return scaled, height * there


class Bottleneck3d(nn.Module):
    """Convolutions 1 (3 over time where ``inflated``), 3 x 3 and 1, and a shortcut; widens by four."""

    def __init__(self, before: int, width: int, stride: int, frame_stride: int, inflated: bool):
        super().__init__()
        kernel = 3 if inflated else 1
        after = 4 * width
        self.conv1 = nn.Conv3d(
            before, width, (kernel, 1, 1), (frame_stride, 1, 1), (kernel // 2, 0, 0), bias=False
        )
        self.conv2 = nn.Conv3d(width, width, (1, 3, 3), (1, stride, stride), (0, 1, 1), bias=False)
        self.conv3 = nn.Conv3d(width, after, 1, bias=False)
        self.norm1, self.norm2, self.norm3 = (nn.BatchNorm3d(n) for n in (width, width, after))
        nn.init.zeros_(self.norm3.weight)  # a block begins as its shortcut
        same = before == after and stride == frame_stride == 1
        projection = nn.Conv3d(before, after, 1, (frame_stride, stride, stride), bias=False)
        self.shortcut = nn.Identity() if same else nn.Sequential(projection, nn.BatchNorm3d(after))
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        inner = F.relu(self.norm1(self.conv1(x)))
        inner = F.relu(self.norm2(self.conv2(inner)))
        return self.act(self.norm3(self.conv3(inner)) + self.shortcut(x))


@BACKBONES.register_module()
class PoseC3D(nn.Module):
    """SlowOnly ResNet-50 of three stages over joint heat maps (Duan et al., "PoseConv3D", CVPR 2022).

    Reads ``skeleton`` ``(B, [M,] T, J, 3)``; ``JointHeatMaps`` says what the coordinates are. Stages are
    ``(B, C, T, H, W)``, the embedding ``(B, 16 * width)``. Published with 48 frames, 56 x 56 pixels, SGD 0.2, 24 epochs
    of ten repeats. Maps of limbs, the paper's second stream, are not there.
    """

    reads = ("skeleton",)

    def __init__(
        self,
        num_classes: int,
        joints: int = 17,
        width: int = 32,
        blocks: Sequence[int] = (4, 6, 3),
        frame_strides: Sequence[int] = (1, 1, 2),
        inflated: Sequence[bool] = (False, True, True),
        frames: int = 48,
        size: int = 56,
        sigma: float = 0.6,
        coordinates: str = "image",
        dropout: float = 0.5,
    ):
        super().__init__()
        self.maps = JointHeatMaps(frames, size, sigma, coordinates)
        self.stem = nn.Sequential(
            nn.Conv3d(joints, width, (1, 7, 7), padding=(0, 3, 3), bias=False),
            nn.BatchNorm3d(width),
            nn.ReLU(),
            nn.MaxPool3d((1, 3, 3), 1, (0, 1, 1)),  # PYSKL's stem pools, and skips no pixel
        )
        stages = []
        before = width
        for i, (count, frame_stride, is_inflated) in enumerate(
            zip(blocks, frame_strides, inflated, strict=True)
        ):
            stages.append(_stage(before, width * 2**i, count, frame_stride, is_inflated))
            before = 4 * width * 2**i
        self.stages = nn.ModuleList(stages)
        self.width = before
        self.taps = {"stages": [f"stages.{i}" for i in range(len(blocks))], "embedding": "fc:in"}
        self.fc: nn.Module = nn.Identity()
        if num_classes:
            self.fc = nn.Sequential(nn.Dropout(dropout), nn.Linear(before, num_classes))

    def embed(self, skeleton: Tensor) -> Tensor:
        """The embedding ``(B, D)`` before the classifier."""
        x = self.stem(self.maps(skeleton).to(self.stem[0].weight.dtype))
        for stage in self.stages:
            x = stage(x)
        return x.mean((2, 3, 4))

    def forward(self, skeleton: Tensor) -> Tensor:
        return self.fc(self.embed(skeleton))


def _stage(before: int, width: int, count: int, frame_stride: int, inflated: bool) -> nn.Sequential:
    first = Bottleneck3d(before, width, 2, frame_stride, inflated)
    return nn.Sequential(first, *(Bottleneck3d(4 * width, width, 1, 1, inflated) for _ in range(count - 1)))
