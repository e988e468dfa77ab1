"""A faster copy of the teacher says what the teacher says, or is refused; the teacher stays as it is."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from kdbench.models import Distillation
from kdbench.models.folding import fold
from kdbench.models.role import Role
from kdbench.models.speedup import Refused, Speedup, compared, stand_in
from kdbench.registry import BACKBONES
from kdbench.spec import Fields, IncompatibleError

from ..test_backbones import test_contract as backbones
from . import toys


def aged(network: nn.Module) -> nn.Module:
    """The network at rest, with statistics as training leaves them."""
    rng = torch.Generator().manual_seed(5)
    for module in network.modules():
        if isinstance(module, _BatchNorm) and module.running_mean is not None:
            module.running_mean.normal_(0, 0.3, generator=rng)
            module.running_var.uniform_(0.5, 2, generator=rng)
    return network.eval()


def role_of(network: nn.Module) -> Role:
    """A role around a network that is there."""
    role = Role.__new__(Role)
    role.name, role.model, role.stand_in, role.means, role.strong = "teacher", network, None, (), []
    role.reads, role.places = tuple(network.reads), dict(getattr(network, "taps", {}))
    role.restrict(role.places)
    return role


def told(role: Role, inputs: dict) -> Fields:
    with torch.no_grad():
        return role.told_in_full(inputs)


def differs(plain: Fields, found: Fields) -> float:
    """The largest difference; logits of chosen frames are left out, since choices flip."""
    names = {name: value for name, value in plain.items() if not isinstance(value, torch.Tensor)}
    kept = [n for n in plain if n in names or plain[n].is_floating_point()]
    if "best_frames" in plain:
        kept = [name for name in kept if name not in ("logits", "best_frames")]
    first, second = (Fields({"logits": torch.zeros(1, 2), **{n: f[n] for n in kept}}) for f in (plain, found))
    return compared([first], [second], "single-label")[1]


FEW = (
    "skeleton_cnn",
    "resnet8",
    "wrn_16_1",
    "posec3d_small",
    "view_av",
    "ctrgcn_small",
    "inertial_transformer",
)
some_then_all = pytest.mark.parametrize(
    "name", [n if n in FEW else pytest.param(n, marks=pytest.mark.slow) for n in sorted(backbones.CONFIGS)]
)
UNFOLDED = {"inertial_transformer"}  # its only norm reads the input


@some_then_all
def test_a_folded_network_says_the_same_with_all_its_taps(name: str) -> None:
    network = aged(backbones.model(name))
    before = copy.deepcopy(network.state_dict())
    role = role_of(network)
    inputs = dict(zip(network.reads, backbones.inputs(network), strict=True))
    plain, copied = told(role, inputs), copy.deepcopy(network)
    folded = fold(copied, lambda: role.standing_for(copied).told(inputs))
    has_norms = any(isinstance(module, _BatchNorm) for module in network.modules())
    assert bool(folded) == (has_norms and name not in UNFOLDED)
    assert [n for n, _ in copied.named_modules()] == [n for n, _ in network.named_modules()]
    assert differs(plain, told(role.standing_for(copied), inputs)) < 1e-4
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


@some_then_all
def test_other_means_are_close_or_say_why_not(name: str) -> None:
    network = aged(backbones.model(name))
    role = role_of(network)
    inputs = dict(zip(network.reads, backbones.inputs(network), strict=True))
    plain = told(role, inputs)
    assert differs(plain, told(role.standing_for(stand_in(role, ("bf16",), inputs)), inputs)) < 0.2
    if any(p.ndim > 3 and max(p.shape[2:]) > 1 for p in network.parameters()):
        twin = role.standing_for(stand_in(role, ("channels_last",), inputs))
        assert differs(plain, told(twin, inputs)) < 1e-4
    else:
        with pytest.raises(Refused, match="no convolution"):
            stand_in(role, ("channels_last",), inputs)


class Conv(nn.Module):
    """A convolution and its norm, what is between them read in ways that folding would change."""

    reads = ("x",)

    def __init__(self, how: str = "alone"):
        super().__init__()
        self.how, self.conv, self.norm, self.fc = how, nn.Conv1d(6, 8, 3), nn.BatchNorm1d(8), nn.Linear(8, 5)
        self.taps = {"conv": "conv"} if how == "tap" else {"norm": "norm:in"} if how == "tap in" else {}

    def forward(self, x):
        between = self.conv(x.transpose(1, 2))
        normed = self.norm(between)
        if self.how == "norm twice":
            normed = self.norm(between + 1)
        if self.how == "conv twice":
            normed = normed + self.conv(x.transpose(1, 2) + 1)
        out = self.fc((normed + between if self.how == "shortcut" else normed).mean(2))
        return {"logits": out, "between": between} if self.how == "output" else out


@pytest.mark.parametrize("how", ["tap", "tap in", "norm twice", "conv twice", "shortcut", "output"])
def test_a_layer_that_something_else_reads_is_not_folded(how: str) -> None:
    torch.manual_seed(0)
    role = role_of(aged(Conv(how)))
    with pytest.raises(Refused, match="no batch norm can be folded"):
        stand_in(role, ("fold",), {"x": torch.randn(4, 16, 6)})
    stand_in(role_of(aged(Conv())), ("fold",), {"x": torch.randn(4, 16, 6)})


class NoBias(nn.Conv1d):
    """A layer that has never heard of a bias."""

    def forward(self, x):
        return nn.functional.conv1d(x, self.weight)


def test_a_layer_that_a_bias_does_not_reach_is_not_folded() -> None:
    network = aged(Conv())
    network.conv = NoBias(6, 8, 3, bias=False)
    with pytest.raises(Refused, match="no batch norm can be folded"):
        stand_in(role_of(network), ("fold",), {"x": torch.randn(4, 16, 6)})


@BACKBONES.register_module()
class Delicate(nn.Module):
    """Logits that are differences of large numbers: half precision has nothing to say of them."""

    reads = ("inertial",)

    def __init__(self, num_classes: int):
        super().__init__()
        self.body, self.norm, self.fc = nn.Conv1d(6, 8, 3), nn.BatchNorm1d(8), nn.Linear(8, num_classes)

    def forward(self, inertial):
        large = 1e4 + self.norm(self.body(inertial.transpose(1, 2))).mean(2)
        return self.fc(large) - self.fc(torch.full_like(large, 1e4))


def model(teacher: str = "Delicate", **options) -> Distillation:
    torch.manual_seed(0)
    teacher = {"type": teacher, "weights": "random"}
    built = Distillation(toys.DATA, {"type": "ToyInertial"}, teacher, {"type": "KD"}, **options)
    aged(built.teacher)
    return built


def batches(count: int = 2) -> list[dict]:
    rng = torch.Generator().manual_seed(3)
    return [
        {"inputs": {"inertial": torch.randn(6, 16, 6, generator=rng)}, "target": torch.arange(6) % 5}
        for _ in range(count)
    ]


def test_a_means_that_fails_the_gate_is_refused_with_the_figures() -> None:
    with pytest.raises(
        IncompatibleError, match=r"Delicate cannot be sped up by bf16: agreement 0\.\d+, relative"
    ):
        model(teacher_speedup="bf16").speed_up(batches())


@pytest.mark.parametrize("limits", [{"agreement": 0.0, "error": 1e-3}, {"agreement": 0.99, "error": 1e9}])
def test_each_limit_of_the_gate_refuses_by_itself(limits) -> None:
    built = model(teacher_speedup={"means": "bf16", **limits})
    with pytest.raises(IncompatibleError, match="cannot be sped up by bf16: agreement"):
        built.speed_up(batches())
    assert built.sped_up is None


def test_auto_leaves_out_what_fails_and_says_so() -> None:
    said: list[str] = []
    built = model(teacher_speedup="auto")
    built.speed_up(batches(), say=said.append)
    text = "\n".join(said)
    assert "bf16" not in built.sped_up.means
    assert "left out bf16: agreement" in text
    assert "left out channels_last: no convolution" in text
    assert "left out compile" in text
    assert "ms a batch fold" in text
    assert text.splitlines()[-1].startswith("teacher: runs")


def test_training_asks_the_stand_in_and_nothing_else_does() -> None:
    built, plain = model("ToyInertial", teacher_speedup="bf16", predict_teacher=True), model("ToyInertial")
    before = {key: value.clone() for key, value in built.teacher.state_dict().items()}
    built.speed_up(batches(), say=lambda _: None)
    batch = batches()[0]
    assert built.sped_up.means == ("bf16",)
    assert 0 < built.sped_up.error < 0.05
    told = [one._teach(batch["inputs"]) for one in (built, plain)]
    assert not torch.equal(told[0].logits, told[1].logits)
    assert told[0].logits.dtype == torch.float32
    shown = built(**batch, mode="predict")[0]["teacher_logits"]
    assert torch.equal(shown, plain.teacher(batch["inputs"]["inertial"])[0])
    assert set(built.state_dict()) == set(plain.state_dict())
    assert all(torch.equal(before[key], value) for key, value in built.teacher.state_dict().items())


def test_compiled_networks_are_not_tapped() -> None:
    role = role_of(aged(backbones.model("inertial_cnn_w6")))
    with pytest.raises(Refused, match="cannot be tapped"):
        stand_in(role, ("compile",), {"inertial": torch.zeros(2, 128, 6)})


def test_what_is_asked_is_checked() -> None:
    assert Speedup.of("bf16+fold").means == Speedup.of(["bf16", "fold"]).means == ("fold", "bf16")
    assert Speedup.of({"means": "auto", "error": 0.1}) == Speedup("auto", error=0.1)
    with pytest.raises(
        ValueError, match="no means to speed a teacher up is called 'bf61'; did you mean: bf16"
    ):
        Speedup.of("bf61")
    with pytest.raises(IncompatibleError, match="read from a cache; leave one of them out"):
        model("ToyInertial", teacher_speedup="auto", cached=True)
    with pytest.raises(IncompatibleError, match="training asks no teacher"):
        Distillation(toys.DATA, {"type": "ToyInertial"}, teacher_speedup="auto")
