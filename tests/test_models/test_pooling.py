"""How a network pools its last stage is found from numbers, which untrained layers without bias make of noise alone."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kdbench.models import Distillation
from kdbench.models.checks import is_large
from kdbench.spec import IncompatibleError

from .toys import DATA

LARGE = {**DATA, "inputs": {"inertial": (1 << 20, 6)}}
ENDS = {
    "mean": lambda stage: stage.mean(2),
    "max": lambda stage: stage.amax(2),
    "last": lambda stage: stage[..., -1],
    "length one": lambda stage: F.normalize(stage.mean(2), dim=1),
}


class Bare(nn.Module):
    """A bias-free convolution and a fresh batch norm: zeros of zeros, whatever comes after."""

    reads = ("inertial",)
    taps = {"stages": ["body"], "embedding": "fc:in"}

    def __init__(self, num_classes: int, end: str = "mean"):
        super().__init__()
        self.end = ENDS[end]
        self.body = nn.Sequential(nn.Conv1d(6, 4, 4, stride=4, bias=False), nn.BatchNorm1d(4), nn.ReLU())
        self.fc = nn.Linear(4, num_classes)

    def forward(self, inertial: Tensor) -> Tensor:
        return self.fc(self.end(self.body(inertial.transpose(1, 2))))


def built(method: str, end: str, data: dict = DATA) -> Distillation:
    torch.manual_seed(0)
    network = {"type": Bare, "end": end}
    teacher = {**network, "weights": "random"}
    return Distillation(data, student=network, teacher=teacher, distiller={"type": method})


@pytest.mark.parametrize("method", ["CATKD", "SimKD", "Generative"])
@pytest.mark.parametrize("end", ["max", "last", "length one"])
def test_another_end_is_refused_by_an_untrained_network_too(method: str, end: str) -> None:
    with pytest.raises(IncompatibleError, match=r"is not the stage .* pooled by mean or mean_max"):
        built(method, end)


def test_finding_it_draws_no_random_number_of_others() -> None:
    assert built("CATKD", "mean").distiller.poolings == {"student": "mean", "teacher": "mean"}
    after = torch.rand(3)
    torch.manual_seed(0)
    for _ in range(2):
        Bare(num_classes=5)
    assert torch.equal(torch.rand(3), after)


def test_it_is_found_for_large_clips() -> None:
    model = built("SimKD", "mean", LARGE)
    assert is_large(model.data)
    assert model.distiller.pooling == "mean"
