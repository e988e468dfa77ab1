"""Multi-view networks ready to train: as they are, with a Python loop over the views, and on clips of one view."""

from collections.abc import Callable
from typing import Any

import torch
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from kdbench.models import Distillation

VIEWS, FRAMES, CLASSES, SIDE = 5, 8, 8, 32
ENCODERS = {
    "rgb": {"type": "FrameCNN", "in_channels": 3, "width": 64, "grid": (2, 2), "difference": True},
    "audio": {"type": "SpectrogramCNN", "width": 64},
}
VIT = {"type": "FrameViT", "image_size": SIDE, "patch": 8, "width": 64, "layers": 4, "heads": 4}
FAMILIES: dict[str, dict[str, Any]] = {
    "MultiASL": {"width": 64, "head_width": 16, "cross_modal": True},
    "MultiTSF": {"width": 64, "heads": 4, "view_hidden": 64, "cross_modal": True, "decision": "both"},
    "MultiTrans": {"width": 64, "cross_modal": True},
    "MultiView": {"width": 64},
}
LOSSES = {
    "MultiASL": {"type": "ActionSelection", "frame_weight": 1.0},
    "MultiTSF": {"type": "TwoWay", "frame_weight": 1.0},
}
NAMES = (*FAMILIES, "MultiASL over a vision transformer")


class OverViews(nn.Module):
    """A module that reads views in the batch, ``(B * V, ...)``, called for each view in turn."""

    def __init__(self, inner: nn.Module, views: int = VIEWS):
        super().__init__()
        self.inner, self.views = inner, views

    def forward(self, x: Tensor, *more: Tensor | None) -> Tensor:
        each = [value if value is None else value.unflatten(0, (-1, self.views)) for value in (x, *more)]
        found = [self.inner(*(v if v is None else v[:, view] for v in each)) for view in range(self.views)]
        return torch.stack(found, 1).flatten(0, 1)


def put_in_a_loop(network: nn.Module) -> None:
    """Let the encoders and the network over time take one view after the other; weights stay."""
    for name, encoder in network.encoders.items():
        network.encoders[name] = OverViews(encoder)
    if hasattr(network, "body"):  # MultiTrans has one transformer over all views
        network.body = OverViews(network.body)


def data(views: int) -> dict[str, Any]:
    """What the models are told of random clips of so many views."""
    inputs = {"rgb": (views, FRAMES, 3, SIDE, SIDE), "audio": (views, FRAMES, 8, 32)}
    fields = {"target": (CLASSES,), "frame_target": (FRAMES, CLASSES)}
    return {
        "name": "random",
        "inputs": inputs,
        "num_classes": CLASSES,
        "task": "multi-label",
        "fields": fields,
    }


def model(name: str, views: int = VIEWS, looped: bool = False) -> Distillation:
    """A teacher (seeing and hearing, frame labels) of one of ``NAMES``, as a row builds it; the same weights always."""
    torch.manual_seed(0)
    family = name.split()[0]
    encoders = {**ENCODERS, "rgb": VIT} if "transformer" in name else ENCODERS
    loss = LOSSES.get(family, {"type": "BinaryCrossEntropy", "scale": 5.0, "frame_weight": 1.0})
    student = {"type": family, "encoders": encoders, **FAMILIES[family]}
    built = Distillation(data=data(views), student=student, task_loss=loss).train()
    if looped:
        put_in_a_loop(built.student)
    return built


def batch(clips: int, views: int = VIEWS) -> dict[str, Any]:
    """Random clips of ``VIEWS`` views, or ``clips * VIEWS`` clips of one view that show the same."""
    rng = torch.Generator().manual_seed(1)
    shapes = data(VIEWS)["inputs"]
    inputs = {name: torch.randn(clips, *shape, generator=rng) for name, shape in shapes.items()}
    truth = (torch.rand(clips, FRAMES, CLASSES, generator=rng) < 0.3).float()
    if views == 1:
        inputs = {name: value.flatten(0, 1)[:, None] for name, value in inputs.items()}
        truth = truth.repeat_interleave(VIEWS, 0)
    return {
        "inputs": inputs,
        "target": truth.amax(1),
        "frame_target": truth,
        "index": torch.arange(len(truth)),
    }


def step(network: Distillation, clips: dict[str, Any]) -> Callable[[], Any]:
    """One training step: forward, backward, AdamW."""
    wrapper = OptimWrapper(torch.optim.AdamW(network.parameters(), lr=1e-4))
    return lambda: network.train_step(clips, wrapper)


def gradients(network: Distillation, clips: dict[str, Any]) -> list[Tensor]:
    """The losses and the gradients of all parameters in eval mode, so that norms read the same statistics."""
    network.eval()
    losses = network(**clips, mode="loss")
    total = sum(value for name, value in losses.items() if "loss" in name)
    parameters = [p for p in network.parameters() if p.requires_grad]
    found = torch.autograd.grad(total, parameters, allow_unused=True)
    network.train()
    return [
        total.detach(),
        *(torch.zeros_like(p) if g is None else g for p, g in zip(parameters, found, strict=True)),
    ]
