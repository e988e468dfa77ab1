"""Rehearsals with shapes and no numbers, where clips are too large for a mere check."""

import pytest
import torch
from torch import Tensor, nn

from kdbench.distillers.base import Distiller
from kdbench.models import Distillation
from kdbench.models.checks import checked, is_large
from kdbench.spec import DataSpec, IncompatibleError, Needs

HOURS, CHANNELS = 1 << 20, 6
LARGE = {"name": "long", "inputs": {"inertial": (HOURS, CHANNELS)}, "num_classes": 5, "num_train": 12}
SMALL = {**LARGE, "name": "short", "inputs": {"inertial": (16, CHANNELS)}}


class Watched(nn.Module):
    """A network that says on which devices it was run."""

    reads = ("inertial",)
    taps = {"embedding": "fc:in"}
    devices: list[str] = []

    def __init__(self, num_classes: int, channels: int = CHANNELS, asks: bool = False):
        super().__init__()
        self.asks, self.norm = asks, nn.BatchNorm1d(channels)
        self.fc = nn.Sequential(nn.Dropout(0.5), nn.Linear(channels, num_classes))

    def forward(self, inertial: Tensor) -> Tensor:
        self.devices.append(inertial.device.type)
        mean = self.norm(inertial.mean(1))
        if self.asks and float(mean.sum()) > 1e9:
            raise ValueError("too loud")
        return self.fc(mean)


class Curious(Distiller):
    """A method that asks for a number while it computes."""

    needs = Needs()

    def forward(self, student, teacher, batch):
        difference = (student.logits - teacher.logits).square().mean()
        return {"loss_curious": difference if float(difference.detach()) < 1 else difference.log()}


@pytest.fixture(autouse=True)
def devices(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(Watched, "devices", [])
    return Watched.devices


def distilling(data: dict = LARGE, distiller: object = "KD", **student: object) -> dict:
    return {
        "type": Distillation,
        "data": data,
        "student": {"type": Watched, **student},
        "teacher": {"type": Watched, "weights": "random"},
        "distiller": {"type": distiller},
    }


def built(config: dict) -> Distillation:
    return Distillation(**{key: value for key, value in config.items() if key != "type"})


def test_large_is_what_takes_many_bytes() -> None:
    assert is_large(DataSpec(**LARGE))
    assert not is_large(DataSpec(**SMALL))


def test_large_clips_are_rehearsed_without_numbers_and_leave_no_trace(devices: list[str]) -> None:
    torch.manual_seed(0)
    model = built(distilling())
    assert {*devices} == {"meta"}
    assert len(devices) >= 5  # each network is probed, loss and predict are rehearsed
    after = torch.rand(3)
    assert {p.device.type for p in [*model.parameters(), *model.buffers()]} == {"cpu"}
    assert all(p.requires_grad for p in model.student.parameters())
    assert torch.equal(model.student.norm.running_mean, torch.zeros(CHANNELS))
    torch.manual_seed(0)
    built(distilling(SMALL))
    assert torch.equal(torch.rand(3), after)
    assert {*devices} == {"meta", "cpu"}


@pytest.mark.parametrize("settings", [dict(asks=True), dict(distiller=Curious)])
def test_what_asks_for_numbers_gets_them(settings: dict, devices: list[str]) -> None:
    built(distilling(**settings))
    assert {*devices} == {"meta", "cpu"}


def test_a_network_for_other_shapes_is_refused_by_name() -> None:
    for make in (built, checked):
        with pytest.raises(IncompatibleError, match=r"the student Watched fails on zeros shaped like long's"):
            make(distilling(channels=7))


def test_a_row_of_large_clips_is_checked_without_its_weights(devices: list[str]) -> None:
    model = checked(distilling())
    assert {*devices} == {"meta"}
    assert all(p.is_meta for p in model.parameters())
    real = checked(distilling(distiller=Curious))
    assert {p.device.type for p in real.parameters()} == {"cpu"}
    assert {p.device.type for p in checked(distilling(SMALL)).parameters()} == {"cpu"}


@pytest.mark.parametrize("method", ["CRD", "InfoNCE", "PKT", "RKD"])
def test_methods_that_switch_autocast_off_or_keep_a_memory_need_no_numbers(
    method: str, devices: list[str]
) -> None:
    built(distilling(distiller=method))
    assert {*devices} == {"meta"}
