"""Maps of attention: their values by hand and by loops, and whole commands on smoke runs of Rooms."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from kdbench.backbones import FrameCNN, FrameViT
from kdbench.backbones.multiview import MultiView
from kdbench.compose import compose
from kdbench.engine import save_weights
from kdbench.models.role import Role
from kdbench.spec import DataSpec
from tests.scripts import script
from tests.toy_project import ROOT, command

maps = script("analysis/maps")

TEACHER = str(ROOT / "configs/baseline/rooms_frame_view_av.py")
STUDENT = str(ROOT / "configs/baseline/rooms_view_v.py")
TOOL = "analysis/attention"
VIEWS, FRAMES, CLASSES = 2, 3, 4


def attention(layers: int, seed: int = 0) -> list[torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return [torch.rand(2, 3, 5, 5, generator=rng).softmax(-1) for _ in range(layers)]


def test_rollout_follows_every_path_to_the_class_token() -> None:
    first, second = attention(2)
    found = maps.rollout([first, second])
    for clip in range(2):
        a, b = ((layer[clip].mean(0) + torch.eye(5)) / 2 for layer in (first, second))
        for patch in range(1, 5):
            paths = sum(float(b[0, middle] * a[middle, patch]) for middle in range(5))
            assert float(found[clip, patch - 1]) == pytest.approx(paths, rel=1e-5)
    torch.testing.assert_close(maps.last_layer([first, second]), second.mean(1)[:, 0, 1:])


def test_evidence_is_gradient_times_activation_where_that_is_positive() -> None:
    rng = torch.Generator().manual_seed(0)
    activation, gradient = torch.randn(2, 3, 2, 2, generator=rng), torch.randn(2, 3, 2, 2, generator=rng)
    for cam in ("elementwise", "pooled"):
        found = maps.evidence(activation, gradient, cam)
        for n, row, column in np.ndindex(2, 2, 2):
            weights = gradient[n].mean((1, 2)) if cam == "pooled" else gradient[n, :, row, column]
            expected = max(0.0, float((weights * activation[n, :, row, column]).sum()))
            assert float(found[n, row, column]) == pytest.approx(expected, abs=1e-6)


def test_maps_lie_on_the_pixels_that_they_are_of() -> None:
    patches = torch.zeros(1, 4, 4)
    patches[0, 1, 2] = 1
    found = maps.at_pixels(patches, (32, 16), is_patches=True)[0]
    assert float(found.sum()) == pytest.approx(1)
    rows, columns = torch.arange(32.0), torch.arange(16.0)
    middle = float((found.sum(1) * rows).sum()), float((found.sum(0) * columns).sum())
    assert middle == pytest.approx((1.5 * 8 - 0.5, 2.5 * 4 - 0.5), abs=1e-4)
    position = maps.at_pixels(patches, (32, 16), is_patches=False)[0]
    assert np.unravel_index(int(position.argmax()), (32, 16)) == (8, 8)
    assert not maps.at_pixels(torch.zeros(1, 2, 2), (4, 4), is_patches=True).any()


def test_a_convolution_of_a_pixel_is_found_at_that_pixel() -> None:
    """A bright pixel, and layers as in FrameCNN that only pass it on: the map is highest where it is."""

    class Passing(nn.Module):
        reads = ("rgb",)

        def __init__(self) -> None:
            super().__init__()
            convs = [nn.Conv2d(1 if i == 0 else 2, 2, 3, 2, 1, bias=False) for i in range(2)]
            for conv in convs:
                nn.init.constant_(conv.weight, 1.0)
            self.encoders = nn.ModuleDict({"rgb": nn.Sequential(*convs)})

        def forward(self, rgb):
            found = self.encoders["rgb"](rgb.flatten(0, 2)).mean((2, 3))
            return {"logits": found.unflatten(0, rgb.shape[:3]).mean((1, 2))}

    rgb = torch.zeros(1, 1, 1, 1, 32, 32)
    rgb[0, 0, 0, 0, 12, 20] = 1
    found = maps.picture_maps(Passing(), [rgb], "rgb", torch.tensor([[1.0, 0.0]]))[0, 0, 0]
    assert np.unravel_index(int(found.argmax()), (32, 32)) == (12, 20)


def test_the_decision_is_that_of_each_view_and_frame_for_the_clips_classes() -> None:
    rng = torch.Generator().manual_seed(0)
    logits = torch.randn(2, VIEWS, FRAMES, CLASSES, generator=rng)
    outputs = {"logits": torch.tensor([[0.0, 1, 0, 0], [0, 0, 9, 0]]), "view_frame_logits": logits}
    target = torch.tensor([[1.0, 0, 0, 1], [0, 0, 0, 0]])
    expected = logits[0, ..., 0].sum() + logits[0, ..., 3].sum() + logits[1, ..., 2].sum()
    torch.testing.assert_close(maps.decision(outputs, target), expected)
    assert float(maps.decision({"logits": outputs["logits"]}, target)) == 9.0


@pytest.mark.parametrize(
    "encoder",
    [
        FrameViT(image_size=(16, 32), patch=8, width=16, layers=2, heads=2),
        FrameCNN(3, width=16, widths=(4, 8, 8), grid=(2, 2)),
    ],
    ids=["transformer", "cnn"],
)
def test_every_picture_has_a_map_of_its_own(encoder: nn.Module) -> None:
    torch.manual_seed(0)
    network = MultiView(CLASSES, {"rgb": {"type": "FrameCNN", "in_channels": 3, "width": 16}}).eval()
    network.encoders["rgb"] = encoder.eval()
    rgb = torch.rand(2, VIEWS, FRAMES, 3, 16, 32)
    target = torch.eye(CLASSES)[:2]
    found = maps.picture_maps(network, [rgb], "rgb", target)
    assert found.shape == (2, VIEWS, FRAMES, 16, 32)
    assert bool((found >= 0).all())
    torch.testing.assert_close(found.sum((-2, -1)), torch.ones(2, VIEWS, FRAMES))
    assert all(p.grad is None for p in network.parameters())
    other = rgb.clone()
    other[:, 1] = torch.rand_like(other[:, 1])
    changed = maps.picture_maps(network, [other], "rgb", target)
    torch.testing.assert_close(changed[:, 0], found[:, 0], rtol=1e-3, atol=1e-6)
    assert not torch.allclose(changed[:, 1], found[:, 1], atol=1e-5)


def test_a_picture_that_the_encoder_leaves_out_has_no_map() -> None:
    torch.manual_seed(0)
    encoder = {"type": "FrameCNN", "in_channels": 1, "width": 16, "widths": (4, 8), "rendered": True}
    network = MultiView(CLASSES, {"depth": encoder}).eval()
    depth = torch.rand(1, VIEWS, FRAMES, 1, 32, 32)
    depth[0, 0, 1] = 0
    found = maps.picture_maps(network, [depth], "depth", torch.eye(CLASSES)[:1])
    total = found.sum((-2, -1))[0]
    assert float(total[0, 1]) == 0
    total[0, 1] = 1
    torch.testing.assert_close(total, torch.ones(VIEWS, FRAMES))


def test_the_share_on_people_is_counted_where_people_are() -> None:
    there, mask = torch.zeros(3, 4, 4), torch.zeros(3, 4, 4, dtype=torch.bool)
    there[0], there[1, 0, 0], mask[:2, :2] = 1 / 16, 1.0, True
    share, area = maps.share_on(there, mask)
    assert share[:2].tolist() == pytest.approx([0.5, 1.0])
    assert area[:2].tolist() == pytest.approx([0.5, 0.5])
    assert bool(share[2].isnan())
    assert bool(area[2].isnan())


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A trained teacher, and a student's weights as they begin."""
    folder = tmp_path_factory.mktemp("rooms")
    done = command(folder, "train", TEACHER, "--smoke", "--no-validate")
    assert done.returncode == 0, done.stderr
    model = compose(STUDENT, smoke=True).model
    role = Role("student", model.student, DataSpec(**model.data))
    save_weights(folder / "student.safetensors", role.model.state_dict())
    return folder


def test_the_command_draws_and_counts(trained: Path) -> None:
    weights = ["--weights", "work_dirs/smoke/baseline/rooms_frame_view_av/seed0/student.safetensors"]
    words = ["--smoke", "--clips", "10", "--frames", "2", "--index", "0", "1", "--labels", "teacher", "lone"]
    weights.append("student.safetensors")
    done = command(trained, TOOL, TEACHER, STUDENT, *words, *weights, "--out", "maps/all.png")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "wrote maps/all.png\nwrote maps/all-share.png and maps/all-share.csv\n"
    for name in ("all", "all-share"):
        assert np.asarray(Image.open(trained / f"maps/{name}.png").convert("RGB")).std() > 10
    with (trained / "maps/all-share.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    assert [line["network"] for line in found] == ["teacher", "lone"]
    assert found[0]["share on people %"] != found[1]["share on people %"]
    for line in found:
        assert 0 < float(line["low"]) <= float(line["share on people %"]) <= float(line["high"]) < 100
        assert line["area of people %"] == found[0]["area of people %"]


def test_a_row_finds_what_its_training_wrote(trained: Path) -> None:
    done = command(trained, TOOL, TEACHER, "--smoke", "--clips", "2", "--frames", "1", "--out", "own.png")
    assert done.returncode == 0, done.stderr
    with (trained / "own-share.csv").open(newline="") as file:
        assert [line["network"] for line in csv.DictReader(file)] == ["view_av"]


def test_what_cannot_be_drawn_is_refused(trained: Path) -> None:
    def refused(*words: str) -> str:
        done = command(trained, TOOL, *words, "--smoke", "--out", "never.png")
        assert done.returncode == 2
        assert not (trained / "never.png").exists()
        return done.stderr

    assert refused(TEACHER, "--index", "16") == "error: no test clip 16; there is: 0 to 15\n"
    assert refused(TEACHER, "--labels", "a", "b") == "error: 2 labels; there is: 1 rows, one each\n"
    assert "has no map (N, C, h, w) of 40 rows or more; give --rows a smaller" in refused(
        TEACHER, "--rows", "40"
    )
    assert "student.safetensors is not there" in refused(STUDENT)
    utd = str(ROOT / "configs/baseline/utd_inertial_cnn.py")
    assert "InertialCNN reads inertial; maps are for networks with an encoder of the pictures" in refused(utd)
