"""A skeleton network that says which joints' pictures matter, and an image network that looks at them.

After TSMF, the teacher-student multimodal fusion of Yu et al. (AAAI 2021); a reconstruction from its released code.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..registry import BACKBONES, build
from ..spec import MissingWeightsError
from ..weights import RANDOM, load_weights
from .blocks import prefixed
from .multimodal import mean_logits

WEIGHT = 255 / 127  # of the joint and time where the teacher's features are largest, as published


def joint_weights(features: Tensor, joints: Sequence[int], share: float = 0.2) -> Tensor:
    """How much each of some joints matters: ``(B, C, T, J)`` of a skeleton network to ``(B, len(joints))``.

    The length of a joint's features at each time is scaled to [0, 255 / 127] over a clip's joints and times; a joint's
    weight is the mean of the largest ``share`` of its times (at least one).

    >>> joint_weights(torch.tensor([[[[0.0, 1.0], [3.0, 4.0]]]]), joints=(0, 1), share=0.5)
    tensor([[1.5059, 2.0079]])
    """
    length = features.norm(dim=1)
    low, high = length.amin((1, 2), keepdim=True), length.amax((1, 2), keepdim=True)
    scaled = WEIGHT * (length - low) / (high - low).clamp(min=torch.finfo(length.dtype).tiny)
    count = max(1, math.ceil(share * scaled.shape[1]))
    return scaled[:, :, list(joints)].topk(count, dim=1).values.mean(1)


def cropped(video: Tensor, centres: Tensor, size: int) -> Tensor:
    """Square pictures ``(B, T, N, C, size, size)`` around places of a video ``(B, T, C, H, W)``, zero beyond its edge.

    ``centres`` ``(B, T, N, 2)`` are rows and columns, in pixels, of the middle of a crop; its pixels are taken whole.
    """
    channels, height, width = video.shape[2:]
    offsets = torch.arange(size, device=video.device) - size // 2
    rows, columns = (centres.round().long()[..., axis, None] + offsets for axis in (0, 1))  # (B, T, N, size)
    inside = ((rows >= 0) & (rows < height))[..., :, None] & ((columns >= 0) & (columns < width))[
        ..., None, :
    ]
    places = rows.clamp(0, height - 1)[..., :, None] * width + columns.clamp(0, width - 1)[..., None, :]
    flat = video.flatten(3)[:, :, None].expand(-1, -1, centres.shape[2], -1, -1)
    index = places.flatten(3)[:, :, :, None].expand(-1, -1, -1, channels, -1)
    taken = flat.gather(4, index).unflatten(4, (size, size))
    return taken * inside[:, :, :, None].to(taken.dtype)


@BACKBONES.register_module()
class TSMF(nn.Module):
    """An image network reads crops around joints, weighed by what a fixed skeleton network finds in the joints.

    ``guide`` is the config of a CompactSTGCN that was trained before, with its ``weights`` file, as a member of
    LateFusion has one; it is never trained here. At each of ``times`` moments a square of ``size`` pixels is cut out
    around each of ``joints``; the squares stand beside each other, a row a joint, and each row is multiplied by its
    ``joint_weights``. ``student``, a network of ``image``, is trained on that picture. Videos without three channels go
    through a trained 1 x 1 convolution first. In tests the logits are the log of both networks' mean probability, with
    ``together=False`` the student's alone.

    Reads ``skeleton`` ``(B, T, J, 3)`` and ``modality`` ``(B, T', C, H, W)``, of which both last as long. Joints are
    found in the picture by ``row = origin[0] - pixels * y`` and ``column = origin[1] + pixels * x``. The defaults are
    for UTD-MHAD, whose canonical skeletons stand so in the straight rendering: a regression of the edges of the person
    on its outermost joints, 72 training clips, gives 28.3 - 11.4 y and 23.5 + 12.9 x.

    Published: head, hands and feet, the 15 largest of 75 times, weights up to 255 / 127, five moments of 45 pixels each
    in colour pictures, ResNet-18 from ImageNet.

    Deviations: skeletons are scaled clip by clip (there: over a batch, so that a clip's weights hang on the others);
    depth for colour, since the data of the rows have no colour; smaller crops and networks. What ensembles weigh there
    could not be read.
    """

    def __init__(
        self,
        num_classes: int,
        guide: Mapping[str, Any],
        student: Mapping[str, Any],
        modality: str = "depth",
        channels: int = 2,
        joints: Sequence[int] = (0, 7, 11, 15, 19),
        times: int = 5,
        size: int = 12,
        share: float = 0.2,
        origin: tuple[float, float] = (28.0, 24.0),
        pixels: float = 12.0,
        together: bool = True,
    ):
        super().__init__()
        guide = dict(guide)
        self.file = guide.pop("weights", None)
        self.guide = build(BACKBONES, guide, num_classes=num_classes).requires_grad_(False)
        if not hasattr(self.guide, "joint_features"):
            raise ValueError(
                f"TSMF is guided by features of joints; {type(self.guide).__name__} has none; take CompactSTGCN"
            )
        self.colours = nn.Identity() if channels == 3 else nn.Conv2d(channels, 3, kernel_size=1)
        self.student = build(BACKBONES, dict(student), num_classes=num_classes)
        self.reads, self.joints, self.times, self.size = ("skeleton", modality), tuple(joints), times, size
        self.share, self.origin, self.pixels, self.together = share, tuple(origin), pixels, together
        self.taps = prefixed("student", self.student.taps)

    @property
    def has_own_weights(self) -> bool:
        """Whether the guide says where its weights come from, be it ``"random"``."""
        return self.file is not None

    def load_own_weights(self) -> None:
        """Read the guide's file. Not done when built: checks come before files."""
        if self.file is None:
            raise MissingWeightsError(
                "the guide of TSMF has no weights and is never trained; give guide=dict(..., weights=FILE), or "
                f'weights="{RANDOM}" if it is meant to be untrained'
            )
        if self.file != RANDOM:
            load_weights(self.guide, self.file)

    def train(self, mode: bool = True) -> "TSMF":
        super().train(mode)
        self.guide.eval()
        return self

    def forward(self, skeleton: Tensor, video: Tensor) -> Tensor:
        with torch.no_grad():
            features = self.guide.joint_features(skeleton)
            weights = joint_weights(features, self.joints, self.share)
            guided = self.guide.fc(self.guide.pool(self.guide.mixed(features)))
        logits = self.student(self.colours(self.canvas(skeleton, video, weights)))
        if self.training or not self.together:
            return logits
        return mean_logits(torch.stack((logits, guided.to(logits.dtype))))

    def canvas(self, skeleton: Tensor, video: Tensor, weights: Tensor) -> Tensor:
        """The picture that the student sees, ``(B, C, joints * size, times * size)``."""
        pose, shown = _sampled(skeleton, self.times), _sampled(video, self.times)
        pose = pose[:, :, list(self.joints)]
        row, column = self.origin[0] - self.pixels * pose[..., 1], self.origin[1] + self.pixels * pose[..., 0]
        crops = cropped(shown, torch.stack((row, column), -1), self.size)
        crops = crops * weights[:, None, :, None, None, None].to(crops.dtype)
        return crops.permute(0, 3, 2, 4, 1, 5).flatten(4, 5).flatten(2, 3)  # (B, C, N size, T size)


def _sampled(clip: Tensor, times: int) -> Tensor:
    """The middle of each of ``times`` equal parts of ``(B, T, ...)``."""
    moments = (torch.arange(times, device=clip.device) + 0.5) * clip.shape[1] / times
    return clip[:, moments.long()]
