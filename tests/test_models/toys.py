"""Tiny networks and a distiller for tests of the frame; registered under names that no real part has."""

import torch
from torch import Tensor, nn

from kdbench.distillers.base import Distiller
from kdbench.registry import BACKBONES, DISTILLERS
from kdbench.spec import Needs

DATA = {
    "name": "toy",
    "inputs": {"inertial": (16, 6), "skeleton": (8, 5, 3)},
    "num_classes": 5,
    "num_train": 12,
}


@BACKBONES.register_module()
class ToyInertial(nn.Module):
    reads = ("inertial",)
    taps = {"embedding": "fc:in", "stages": ["body"]}

    def __init__(self, num_classes: int, width: int = 8):
        super().__init__()
        self.body, self.norm, self.fc = (
            nn.Linear(6, width),
            nn.BatchNorm1d(width),
            nn.Linear(width, num_classes),
        )

    def forward(self, inertial: Tensor) -> Tensor:
        return self.fc(self.norm(self.body(inertial).mean(1)))


@BACKBONES.register_module()
class ToySkeleton(nn.Module):
    reads = ("skeleton",)
    taps = {"embedding": "fc:in"}

    def __init__(self, num_classes: int, width: int = 8):
        super().__init__()
        self.body, self.fc, self.drop = nn.Linear(15, width), nn.Linear(width, num_classes), nn.Dropout(0.5)

    def forward(self, skeleton: Tensor) -> dict[str, Tensor]:
        frames = self.body(skeleton.flatten(2))
        return {
            "logits": self.fc(self.drop(frames.mean(1))),
            "frame_logits": self.fc.weight.sum() + frames[..., :5],
        }


@BACKBONES.register_module()
class ToyBoth(nn.Module):
    reads = ("inertial", "skeleton")

    def __init__(self, num_classes: int):
        super().__init__()
        self.fc = nn.Linear(6 + 15, num_classes)

    def forward(self, inertial: Tensor, skeleton: Tensor) -> Tensor:
        return self.fc(torch.cat([inertial.mean(1), skeleton.flatten(2).mean(1)], 1))


@DISTILLERS.register_module()
class ToyMimic(Distiller):
    """Mean squared error of embeddings; predicts with an added bias."""

    needs = Needs(student=("logits", "embedding"), teacher=("embedding",), batch=("index",))

    def __init__(self, width: int, bias: float = 0.0):
        super().__init__()
        self.width, self.bias = width, nn.Parameter(torch.tensor(bias))
        self.register_buffer("seen", torch.zeros(()))

    @staticmethod
    def infer(student, teacher, data):
        return {"width": student.embedding.shape[1]}

    def predict(self, student):
        return student.logits + self.bias

    def forward(self, student, teacher, batch):
        self.seen += 1
        return {"loss_mimic": (student.embedding - teacher.embedding).square().mean()}
