"""What needs no package: axes, layouts, statistics, places, files, and the messages; on a network of our own."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from kdbench.backbones import ENCODERS, External, ExternalFrames
from kdbench.backbones.external import Foreign, network
from kdbench.backbones.external.axes import over_time, to_map
from kdbench.backbones.external.building import build_foreign
from kdbench.backbones.external.catalogue import CATALOGUE
from kdbench.backbones.external.families import family_of
from kdbench.backbones.external.layouts import Fitted, laid_out
from kdbench.compat import SCOPES, load_scope
from kdbench.registry import build
from kdbench.spec import MissingPackageError, MissingWeightsError
from kdbench.taps import Taps
from tests.scripts import script

PACKAGES = ("mmaction", "mmaction.models", "timm", "torchvision", "transformers")


class Blocks(nn.Module):
    """Stands for a foreign network: pictures over time in, tokens behind a class token out, every second frame one."""

    def __init__(self, channels: int = 3, width: int = 4):
        super().__init__()
        self.layers = nn.ModuleList(
            [nn.Conv3d(channels, width, (2, 4, 4), (2, 4, 4)), nn.Conv3d(width, width, 1)]
        )
        self.token = nn.Parameter(torch.ones(1, 1, width))

    def forward(self, video: Tensor) -> Tensor:
        for layer in self.layers:
            video = layer(video)
        tokens = video.flatten(2).transpose(1, 2)
        return torch.cat((self.token.expand(len(tokens), -1, -1), tokens), 1)


@pytest.fixture
def blocks(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The arguments of ``Foreign`` for that network."""
    monkeypatch.setattr(network, "build_foreign", lambda name, options: Blocks(**options))
    return {
        "name": "mine.Blocks",
        "width": 4,
        "reads": "BCTHW",
        "gives": "BLC",
        "stages": ("layers.0", "layers.1"),
        "stage_axes": "BCTHW",
    }


@pytest.fixture
def without_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PACKAGES:
        monkeypatch.setitem(sys.modules, name, None)  # import raises ImportError


def test_axes_are_put_in_order() -> None:
    value = torch.arange(2 * 3 * 4 * 5 * 6.0).reshape(2, 3, 4, 5, 6)
    assert torch.equal(to_map(value, "BTHWC", 2), value.movedim(-1, 1))
    frames = value.flatten(0, 1)
    assert torch.equal(to_map(frames, "NHWC", 2), value.movedim(-1, 1))
    assert torch.equal(to_map(frames, "NCHW", 2), value.movedim(1, 2))
    assert torch.equal(to_map(value, "BMCTV", 2), value.mean((1, 4)))
    assert torch.equal(to_map(value.flatten(0, 1), "PCTV", 2), value.mean((1, 4)))


def test_tokens_lie_in_rows_behind_the_class_token() -> None:
    there = torch.rand(2, 8, 2, 3, 4)
    tokens = torch.cat((torch.full((2, 1, 8), 9.0), there.flatten(2).transpose(1, 2)), 1)
    assert torch.equal(to_map(tokens, "BLC", 2, grid=(2, 3, 4)), there)
    torch.testing.assert_close(to_map(tokens, "BLC", 2), tokens.mean(1))
    of_frames = to_map(tokens, "NLC", 1, grid=(6, 4))
    assert of_frames.shape == (1, 8, 2, 6, 4)
    with pytest.raises(ValueError, match=r"25 tokens do not fill the grid \(5, 6\)"):
        to_map(tokens, "BLC", 2, grid=(5, 6))
    with pytest.raises(ValueError, match="which are not the axes 'BCTHW'; say its own"):
        to_map(tokens, "BCTHW", 2)


def test_features_over_time_have_as_many_steps_as_frames() -> None:
    steps = torch.arange(4.0).reshape(1, 1, 4, 1, 1).expand(2, 3, 4, 2, 5)
    assert torch.equal(over_time(steps, 4)[0, :, 0], torch.arange(4.0))
    assert torch.equal(over_time(steps, 2)[0, :, 0], torch.tensor([0.5, 2.5]))
    assert over_time(steps, 8).shape == (2, 8, 3)
    assert over_time(steps, 8).mean() == pytest.approx(1.5)
    assert torch.equal(over_time(torch.ones(2, 3), 5), torch.ones(2, 5, 3))


def test_clips_are_laid_out_as_networks_read_them() -> None:
    video, sound = torch.rand(2, 4, 3, 6, 5), torch.rand(2, 4, 5, 7)
    assert torch.equal(laid_out(video, "BCTHW")[:, 1, 2], video[:, 2, 1])
    assert torch.equal(laid_out(video, "NCHW")[5], video[1, 1])
    assert laid_out(video, "BTCHW") is video
    assert torch.equal(laid_out(sound, "BCFS")[1, 0, 7], sound[1, 1, 2])
    assert torch.equal(laid_out(sound, "BFS")[1, 7], sound[1, 1, 2])


def test_what_one_preprocessor_did_is_undone_for_another() -> None:
    pictures = torch.rand(1, 2, 3, 4, 4)
    mean, std = (
        torch.tensor(numbers).reshape(3, 1, 1) for numbers in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    )
    given = (pictures - 0.45) / 0.195
    found = Fitted(given=(0.45, 0.195), wanted="imagenet")(given)
    torch.testing.assert_close(found, (pictures - mean) / std)
    assert Fitted()(pictures) is pictures
    with pytest.raises(ValueError, match=r"statistics 'imagnet' are unknown; did you mean: imagenet"):
        Fitted(wanted="imagnet")


def test_frames_size_and_channels_are_brought_to_what_is_wanted() -> None:
    video = torch.arange(8.0).reshape(1, 8, 1, 1, 1) + torch.tensor([0.0, 100.0]).reshape(1, 1, 2, 1, 1)
    found = Fitted(frames=3, size=(4, 6), channels=(0, 0, 1))(video.expand(1, 8, 2, 2, 3))
    assert found.shape == (1, 3, 3, 4, 6)
    assert found[0, :, 0, 0, 0].tolist() == [0.0, 4.0, 7.0]
    assert found[0, :, 2, 3, 5].tolist() == [100.0, 104.0, 107.0]


def test_stages_are_maps_and_places_inside_can_be_tapped(blocks: dict[str, Any]) -> None:
    student = External(7, blocks, dropout=0.5)
    taps = Taps(student, {**student.taps, "inside": "network.net.layers.0"})
    with taps.reading() as out:
        logits = student(torch.rand(2, 6, 3, 8, 12))
    assert logits.shape == (2, 7)
    assert out.embedding.shape == (2, 4)
    assert [tuple(stage.shape) for stage in out.stages] == [(2, 4, 3, 2, 3)] * 2
    assert torch.equal(out.stages[0], out.inside)
    logits.sum().backward()
    assert student.network.net.layers[0].weight.grad.abs().sum() > 0


def test_nothing_stays_hooked(blocks: dict[str, Any]) -> None:
    student = External(7, blocks)
    student(torch.rand(1, 4, 3, 8, 8))
    assert not any(module._forward_hooks for module in student.modules())


def test_pictures_and_views_are_clips_too(blocks: dict[str, Any]) -> None:
    student = External(7, {**blocks, "fit": {"frames": 2}}).eval()
    picture, views = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 4, 3, 8, 8)
    assert student(picture).shape == (2, 7)
    out = student(views)
    assert out["view_logits"].shape == (2, 3, 7)
    torch.testing.assert_close(out["view_logits"][:, 1], student(views[:, 1]))
    torch.testing.assert_close(out["logits"], out["view_logits"].mean(1))
    with pytest.raises(ValueError, match=r"reads 5 axes; there is: \(2, 3\)"):
        student(torch.rand(2, 3))


def test_an_encoder_gives_every_frame_its_features(blocks: dict[str, Any]) -> None:
    plain = ExternalFrames(blocks)
    assert plain(torch.rand(2, 6, 3, 8, 8)).shape == (2, 6, 4)
    placed = build(ENCODERS, {"type": "ExternalFrames", "network": {**blocks, "grid": (3, 2, 2)}})
    features = placed(torch.rand(2, 6, 3, 8, 8))
    assert features.shape == (2, 6, 4)
    assert not torch.equal(features[:, 0], features[:, -1])


def test_a_wrong_width_is_told_with_the_right_one(blocks: dict[str, Any]) -> None:
    for wrong in (External(2, {**blocks, "width": 5}), ExternalFrames({**blocks, "width": 5})):
        with pytest.raises(ValueError, match=r"'mine.Blocks' gives 4 features, not width=5; give it width=4"):
            wrong(torch.rand(1, 4, 3, 8, 8))


def test_a_stage_that_is_not_there_has_near_ones(blocks: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"no module for the stage 'layer.0'; did you mean: layers.0"):
        Foreign(**{**blocks, "stages": ("layer.0",)})


@pytest.mark.parametrize("ending", ["safetensors", "pth"])
def test_weights_and_a_classifier_come_from_a_file(
    blocks: dict[str, Any], ending: str, tmp_path: Path
) -> None:
    source = Blocks()
    classifier = {"head.weight": torch.rand(7, 4), "head.bias": torch.rand(7)}
    path = tmp_path / f"weights.{ending}"
    state = {**source.state_dict(), **classifier}
    save_file(state, path) if ending == "safetensors" else torch.save(state, path)
    student = External(7, {**blocks, "weights": str(path)}, head="head")
    assert student.has_own_weights
    student.load_own_weights()
    clip = torch.rand(2, 4, 3, 8, 8)
    features = source(clip.transpose(1, 2)).mean(1)
    torch.testing.assert_close(
        student(clip), features @ classifier["head.weight"].T + classifier["head.bias"]
    )
    assert not External(7, {**blocks, "weights": str(path)}).has_own_weights  # the classifier would be random
    with pytest.raises(ValueError, match=r"'head' of .* is for 7 classes; there is: 9"):
        External(9, {**blocks, "weights": str(path)}, head="head").load_own_weights()
    with pytest.raises(ValueError, match=r"no classifier 'fc'; did you mean: head.weight"):
        External(7, {**blocks, "weights": str(path)}, head="fc").load_own_weights()
    with pytest.raises(MissingWeightsError, match="does not fit Blocks"):
        ExternalFrames(
            {**blocks, "options": {"width": 8}, "width": 8, "weights": str(path)}
        ).load_own_weights()


def test_axes_must_be_known_or_said() -> None:
    with pytest.raises(ValueError, match=r"the axes of 'mmaction.MVit' are not known; .*mmaction.MViT"):
        family_of("mmaction.MVit")
    assert family_of("mmaction.MVit", "BCTHW", "BC").maps == (("", (), "BC"),)
    with pytest.raises(ValueError, match="no clip has the axes reads='BCHW'"):
        Foreign("mmaction.X", 8, reads="BCHW", gives="BC")


def test_weights_that_would_be_fetched_are_refused() -> None:
    for option in ("pretrained", "checkpoint_path", "init_cfg"):
        with pytest.raises(
            ValueError, match=f"the option '{option}' of 'timm.resnet18' would read weights unseen"
        ):
            build_foreign("timm.resnet18", {option: "x"})


def test_an_unknown_scope_names_the_others() -> None:
    with pytest.raises(ValueError, match=r"scope of 'tim.resnet18'; did you mean: timm\?"):
        build_foreign("tim.resnet18", {})


@pytest.mark.usefixtures("without_packages")
@pytest.mark.parametrize("name", CATALOGUE)
def test_without_its_package_a_network_says_what_to_install(name: str) -> None:
    scope = CATALOGUE[name].config["network"]["name"].split(".")[0]
    package, extra = SCOPES[scope]
    with pytest.raises(
        MissingPackageError,
        match=rf"^'{scope}\.\*' needs the optional package '{package}', .* pip install 'kdbench\[{extra}\]'$",
    ):
        External(2, **CATALOGUE[name].config)


@pytest.mark.usefixtures("without_packages")
def test_without_its_package_a_part_is_listed_without_its_size() -> None:
    name = next(iter(CATALOGUE))
    assert script("list").size({"type": "External", **CATALOGUE[name].config}) == "–"


@pytest.mark.usefixtures("without_packages")
def test_a_missing_package_leaves_nothing_behind() -> None:
    import numpy as np

    before = {name for name in sys.modules if name.split(".")[0] in ("mmcv", "torchvision", "timm")}
    for scope in SCOPES:
        with pytest.raises(MissingPackageError):
            load_scope(scope)
    assert {name for name in sys.modules if name.split(".")[0] in ("mmcv", "torchvision", "timm")} == before
    assert np.inf > 0
