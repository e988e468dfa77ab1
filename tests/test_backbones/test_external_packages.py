"""Every network of docs/external.md, in an environment with the packages: ``pytest -m external``."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from kdbench.backbones import External, ExternalFrames
from kdbench.backbones.external.catalogue import CATALOGUE
from kdbench.compat import SCOPES, load_scope
from kdbench.compose.parts import parts
from kdbench.models import Distillation
from kdbench.registry import BACKBONES, build
from kdbench.spec import MissingPackageError
from kdbench.taps import Taps

pytestmark = [
    pytest.mark.external,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # the packages' own deprecations
]
ROOT = Path(__file__).parents[2]
RECORD = json.loads((ROOT / "docs/external.json").read_text("utf-8"))
CLASSES = 3
PARTNERS: dict[str, dict[str, Any]] = {
    "rgb": {"type": "VideoCNN", "modality": "rgb", "width": 16, "grid": (4, 4)},
    "skeleton": {"type": "SkeletonCNN", "streams": ("joint",), "graph": "coco"},
    "audio": {"type": "AudioCNN"},
}
# The parts of configs/_base_/models/external.py, with 27 classes.
PARTS = {
    name: part.config
    for name, part in parts(ROOT / "configs", "models").items()
    if part.path.stem == "external"
}
PARAMETERS = {
    "swin_tiny": 27_871_233,
    "swin_small": 49_529_841,
    "mvit_tiny": 23_514_267,
    "mvit_small": 34_250_907,
    "swin_mini": 1_303_869,
    "mvit_mini": 334_267,
    "asl_swin_v": 199_660,
    "asl_swin_vh": 339_516,
    "asl_swin_av": 393_886,
    "asl_mvit_v": 182_520,
    "tsf_swin_v": 273_387,
    "tsf_swin_vh": 650_683,
}
SHAPES = {"depth": (16, 2, 64, 48), "rgb": (5, 8, 3, 32, 32), "audio": (5, 8, 8, 32)}
everyone = pytest.mark.parametrize("name", CATALOGUE)


def need(scope: str) -> None:
    try:
        load_scope(scope)
    except MissingPackageError as error:
        pytest.skip(str(error))


def scope_of(name: str) -> str:
    return CATALOGUE[name].config["network"]["name"].split(".")[0]


def built(name: str) -> External:
    need(scope_of(name))
    torch.manual_seed(0)
    return External(CLASSES, **CATALOGUE[name].config)


@everyone
def test_a_network_runs_learns_and_is_tapped_in_two_places(name: str) -> None:
    network = built(name)
    assert sum(p.numel() for p in network.network.parameters()) == RECORD["networks"][name]["parameters"]
    taps, clip = Taps(network, network.taps), torch.rand(2, *CATALOGUE[name].shape)
    with taps.reading() as out:
        logits = network(clip)
    assert logits.shape == (2, CLASSES)
    assert out.embedding.shape == (2, network.width)
    assert len(out.stages) > 1
    for stage in out.stages:
        assert len(stage) == 2
        assert stage.isfinite().all()
    logits.square().sum().backward()
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None, f"{key} has no gradient"
        assert parameter.grad.isfinite().all(), key


def distilled(student: dict[str, Any], teacher: dict[str, Any], data: dict[str, Any]) -> Distillation:
    """One step of KD; the student moves, the teacher does not."""
    torch.manual_seed(0)
    teacher = {**teacher, "weights": "random"}
    model = Distillation(data=data, student=student, teacher=teacher, distiller={"type": "KD", "tau": 4.0})
    before = {name: value.clone() for name, value in model.named_parameters()}
    (modality,) = data["inputs"]
    clips = torch.rand(2, *data["inputs"][modality])
    losses = model({modality: clips}, mode="loss", target=torch.tensor([0, 2]), index=torch.arange(2))
    sum(losses.values()).backward()
    torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1).step()
    moved = {name.split(".")[0] for name, value in model.named_parameters() if (value != before[name]).any()}
    assert moved == {"student"}
    assert all(value.isfinite().all() for value in model.student.parameters())
    return model


@everyone
def test_one_step_from_it_and_one_into_it(name: str) -> None:
    need(scope_of(name))
    entry = CATALOGUE[name]
    modality = entry.config.get("modality", "rgb")
    data = {"name": "toy", "inputs": {modality: entry.shape}, "num_classes": CLASSES, "num_train": 4}
    ours, theirs = PARTNERS[modality], {"type": External, **entry.config}
    distilled(ours, theirs, data)
    distilled(theirs, ours, data)


def test_videos_of_several_views_decide_together() -> None:
    network = built("swin_tiny").eval()
    clips = torch.rand(1, 2, *CATALOGUE["swin_tiny"].shape)
    with torch.no_grad():
        out = network(clips)
        each = torch.stack([network(clips[:, view]) for view in range(2)], 1)
    torch.testing.assert_close(out["view_logits"], each, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(out["logits"], each.mean(1), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["mvit_tiny", "swin_tiny", "slowfast_r50", "timm_resnet18", "resnet_audio"])
def test_a_network_is_an_encoder_of_frames(name: str) -> None:
    need(scope_of(name))
    entry = CATALOGUE[name]
    encoder = ExternalFrames(entry.config["network"]).eval()
    with torch.no_grad():
        features = encoder(torch.rand(2, *entry.shape))
    assert features.shape == (2, entry.shape[0], encoder.width)
    assert not torch.equal(features[:, 0], features[:, -1])


@pytest.mark.parametrize("name", ["swin_tiny", "timm_resnet18", "r3d_18", "ast_small"])
def test_weights_come_from_a_file(name: str, tmp_path: Path) -> None:
    source: nn.Module = built(name).network.net
    prefix = {"mmaction": "backbone.", "transformers": "audio_spectrogram_transformer."}.get(
        scope_of(name), ""
    )
    classifier = {"mmaction": "cls_head.fc_cls"}.get(scope_of(name), "fc" if "18" in name else "classifier")
    state = {f"{prefix}{key}": value for key, value in source.state_dict().items()}
    state |= {f"{classifier}.weight": torch.ones(CLASSES, 2), f"{classifier}.bias": torch.ones(CLASSES)}
    torch.save({"state_dict": state}, tmp_path / "weights.pth")
    config = {**CATALOGUE[name].config}
    config["network"] = {**config["network"], "weights": str(tmp_path / "weights.pth")}
    torch.manual_seed(1)
    other = External(CLASSES, **config)
    fresh = other.network.net.state_dict()
    assert not all(torch.equal(fresh[key], value) for key, value in source.state_dict().items())
    other.load_own_weights()
    for key, value in source.state_dict().items():
        assert torch.equal(other.network.net.state_dict()[key], value), key


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("mmaction.MVit", "MViT"),
        ("timm.resnet81", "resnet"),
        ("torchvision.r3d_81", "r3d_18"),
        ("transformers.VideoMea", "VideoMAE"),
    ],
)
def test_a_network_that_is_not_there_has_near_ones(name: str, near: str) -> None:
    need(name.split(".")[0])
    with pytest.raises(ValueError, match=f"has no .*{near}"):
        External(2, {"name": name, "width": 8, "reads": "BCTHW", "gives": "BCTHW"})


@pytest.mark.parametrize("scope", SCOPES)
def test_a_package_loads_twice_and_changes_nothing_for_torch(scope: str) -> None:
    need(scope)
    assert load_scope(scope) is load_scope(scope)
    assert torch.get_default_dtype() == torch.float32
    assert torch.nn.Linear(2, 2)(torch.zeros(1, 2)).shape == (1, 2)


def test_every_part_is_counted() -> None:
    assert set(PARTS) == set(PARAMETERS)


@pytest.mark.parametrize("name", PARTS)
def test_a_part_has_the_recorded_parameters(name: str) -> None:
    need("mmaction")
    network = build(BACKBONES, PARTS[name], num_classes=27)
    assert sum(p.numel() for p in network.parameters()) == PARAMETERS[name]


@pytest.mark.parametrize("name", [name for name in PARTS if name.endswith("mini") or "_v" in name])
def test_a_miniature_runs_learns_and_is_built_again_from_json(name: str) -> None:
    need("mmaction")
    plain = json.loads(
        json.dumps({key: value for key, value in PARTS[name].items() if key != "type"}, default=kind)
    )
    kept = {"type": PARTS[name]["type"].__name__, **plain}
    network = build(BACKBONES, kept, num_classes=3)
    clips = [torch.rand(2, *SHAPES[modality]) for modality in network.reads]
    with Taps(network, network.taps).reading() as out:
        output = network(*clips)
    logits = output if isinstance(output, torch.Tensor) else output["logits"]
    assert logits.shape == (2, 3)
    assert len(out.stages) == (3 if name.endswith("mini") else 2)
    outputs = (
        [output]
        if isinstance(output, torch.Tensor)
        else [x for x in output.values() if x.is_floating_point()]
    )
    sum(value.float().square().sum() for value in outputs).backward()
    idle = [key for key, p in network.named_parameters() if p.grad is None]
    assert not idle
    assert all(p.grad.isfinite().all() for p in network.parameters())


def kind(value: type) -> str:
    """A type in a part as it stands in JSON."""
    return value.__name__
