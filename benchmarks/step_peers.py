"""A KD step of torchdistill, timm and nvidia-modelopt on networks of ours, with our loss: CE + tau^2 KL.

Each is used as its own documentation has it. What does not import is named; benchmarks/peers.txt installs them all.
"""

import logging
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .losses_peers import imported

Step = Callable[[Tensor, Tensor], Tensor]  # pictures and classes to the loss, having stepped


class Networks(NamedTuple):
    """A teacher in eval mode and a student of one's own."""

    teacher: nn.Module
    student: nn.Module
    tau: float
    rate: float

    def sgd(self) -> torch.optim.Optimizer:
        """What all train the student with."""
        return torch.optim.SGD(self.student.parameters(), lr=self.rate)


def _torchdistill(networks: Networks) -> Step:
    """Its box, which trains by plain SGD from the config; without ``eval`` its teacher would use batch statistics."""
    from torchdistill.common.constant import def_logger
    from torchdistill.core.distillation import get_distillation_box

    def_logger.setLevel(logging.WARNING)
    paths = {
        f"{role}_module_{what}": value for role in ("student", "teacher") for what, value in _OUTPUT.items()
    }
    kd = {"key": "KDLoss", "kwargs": {**paths, "temperature": networks.tau, "alpha": 1.0, "beta": 1.0}}
    config = {
        "num_epochs": 1,
        "teacher": {"forward_proc": "forward_batch_only", "requires_grad": False},
        "student": {"forward_proc": "forward_batch_only"},
        "optimizer": {"key": "SGD", "kwargs": {"lr": networks.rate}},
        "criterion": {
            "key": "WeightedSumLoss",
            "kwargs": {"sub_terms": {"kd": {"criterion": kd, "weight": 1.0}}},
        },
    }
    box = get_distillation_box(
        networks.teacher, networks.student, {}, config, torch.device("cpu"), None, False, 1
    )

    def step(pictures: Tensor, target: Tensor) -> Tensor:
        box.pre_forward_process()
        loss = box.forward_process(pictures, target, None)
        box.post_forward_process(loss)
        return loss.detach()

    return step


_OUTPUT = {"path": ".", "io": "output"}


def _timm(networks: Networks) -> Step:
    from timm.task import LogitDistillationTask

    for network in (networks.teacher, networks.student):  # what its tasks read of a model of its own
        network.num_classes, network.in_chans = 100, 3
        network.pretrained_cfg = {"mean": (0.0,) * 3, "std": (1.0,) * 3}
    weights = {"distill_loss_weight": 1.0, "task_loss_weight": 1.0, "temperature": networks.tau}
    settings = {"criterion": nn.CrossEntropyLoss(), "device": torch.device("cpu"), "verbose": False}
    task, optimizer = (
        LogitDistillationTask(networks.student, networks.teacher, **settings, **weights),
        networks.sgd(),
    )
    task.train()

    def step(pictures: Tensor, target: Tensor) -> Tensor:
        loss = task(pictures, target)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def _modelopt(networks: Networks) -> Step:
    from modelopt.torch import distill

    criterion = distill.LogitsDistillationLoss(temperature=networks.tau, reduction="batchmean")
    settings = {"teacher_model": networks.teacher, "criterion": criterion, "loss_balancer": None}
    model = distill.convert(networks.student, mode=[("kd_loss", settings)])
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=networks.rate)
    model.train()

    def step(pictures: Tensor, target: Tensor) -> Tensor:
        loss = F.cross_entropy(model(pictures), target) + model.compute_kd_loss()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


MAKERS: dict[str, Callable[[Networks], Step]] = {
    "torchdistill": _torchdistill,
    "timm": _timm,
    "modelopt": _modelopt,
}


def peers(make: Callable[[], Networks]) -> tuple[dict[str, Step], dict[str, str]]:
    """The steps of what is there, each with networks of its own, and why the others are not."""
    found = {name: imported(name) for name in MAKERS}
    missing = {name: module for name, module in found.items() if isinstance(module, str)}
    return {name: MAKERS[name](make()) for name in MAKERS if name not in missing}, missing


def without_warnings() -> Any:
    """A context in which what peers warn of is not repeated here."""
    import warnings

    return warnings.catch_warnings(action="ignore")
