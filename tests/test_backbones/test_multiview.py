"""The multi-view network: views, fusion, frames."""

import pytest
import torch
from torch import Tensor

from kdbench.backbones import MultiView
from kdbench.backbones.multiview import ViewFusion, sequence_logits
from kdbench.taps import Taps

RGB = {"type": "FrameCNN", "in_channels": 3, "width": 16, "grid": (2, 2)}
AUDIO = {"type": "SpectrogramCNN", "width": 8}
FUSIONS = ["max", "mean", "attention"]


@pytest.fixture
def rgb() -> Tensor:
    return torch.rand(2, 3, 6, 3, 32, 32)


@pytest.fixture
def audio() -> Tensor:
    return torch.randn(2, 3, 6, 8, 32)


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("temporal", ["conv", "attention"])
def test_outputs_have_their_shapes(rgb: Tensor, audio: Tensor, fusion: str, temporal: str) -> None:
    network = MultiView(5, {"rgb": RGB, "audio": AUDIO}, width=32, fusion=fusion, temporal=temporal)
    assert network.reads == ("rgb", "audio")
    output = network(rgb, audio)
    assert {name: tuple(value.shape) for name, value in output.items()} == {
        "logits": (2, 5),
        "view_logits": (2, 3, 5),
        "frame_logits": (2, 6, 5),
        "view_frame_logits": (2, 3, 6, 5),
        "features": (2, 3, 6, 32),
        "fused": (2, 6, 32),
    }


@pytest.mark.parametrize("fusion", FUSIONS)
def test_the_order_of_views_does_not_matter(rgb: Tensor, fusion: str) -> None:
    network = MultiView(5, {"rgb": RGB}, width=32, fusion=fusion).eval()
    order = [2, 0, 1]
    first, second = network(rgb), network(rgb[:, order])
    torch.testing.assert_close(first["logits"], second["logits"], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(first["view_logits"][:, order], second["view_logits"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_equal_views_fuse_into_themselves(fusion: str) -> None:
    view = torch.randn(2, 1, 4, 8)
    fused = ViewFusion(fusion, 8)(view.expand(-1, 3, -1, -1))
    torch.testing.assert_close(fused, view[:, 0])


def test_one_view_alone_decides_as_the_fusion_does(rgb: Tensor) -> None:
    output = MultiView(5, {"rgb": RGB}, width=32).eval()(rgb[:, :1])
    torch.testing.assert_close(output["view_logits"][:, 0], output["logits"])


def test_the_number_of_views_is_free(rgb: Tensor) -> None:
    network = MultiView(5, {"rgb": RGB}, width=32).eval()
    assert network(rgb[:, :2])["view_logits"].shape == (2, 2, 5)


def test_a_sequence_is_its_highest_frames() -> None:
    frames = torch.randn(2, 8, 5)
    torch.testing.assert_close(sequence_logits(frames, 0.25), frames.sort(1).values[:, -2:].mean(1))
    torch.testing.assert_close(sequence_logits(frames, 1.0), frames.mean(1))
    torch.testing.assert_close(sequence_logits(frames, 0.01), frames.amax(1))


def test_view_attention_can_be_tapped(rgb: Tensor) -> None:
    network = MultiView(5, {"rgb": RGB}, width=32, fusion="attention")
    with Taps(network, network.taps).reading() as out:
        output = network(rgb)
    torch.testing.assert_close(out.view_attention.sum(1), torch.ones(2, 6, 1))
    torch.testing.assert_close(out.embedding, output["fused"].mean(1))


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="the view fusion 'maks' is unknown; did you mean: max"):
        MultiView(5, {"rgb": RGB}, fusion="maks")
    with pytest.raises(ValueError, match=r"top=0 is no share of the frames; it lies in \(0, 1\]"):
        MultiView(5, {"rgb": RGB}, top=0)
    with pytest.raises(ValueError, match="no frame encoder is called 'FrameCN'; did you mean: FrameCNN"):
        MultiView(5, {"rgb": {"type": "FrameCN"}})


def test_early_fusion_follows_a_person_from_view_to_view():
    """What the fused frames say depends on the highest features of each frame alone, wherever they were seen."""
    network = MultiView(5, {"rgb": RGB}, width=32, early=True, layers=2).eval()
    rgb = torch.rand(2, 3, 6, 3, 32, 32)
    whole = network(rgb)
    assert whole["view_frame_logits"].shape == (2, 3, 6, 5)
    assert whole["fused"].shape == (2, 6, 32)
    order = torch.stack([torch.randperm(3) for _ in range(6)], 1)  # another order of the views in each frame
    mixed = network(rgb[:, order, torch.arange(6)])
    torch.testing.assert_close(mixed["frame_logits"], whole["frame_logits"], rtol=1e-4, atol=1e-5)
    alone = network(rgb[:, :1])
    torch.testing.assert_close(alone["view_frame_logits"], whole["view_frame_logits"][:, :1])
    torch.testing.assert_close(alone["frame_logits"], whole["view_frame_logits"][:, 0])


def test_a_worn_modality_stands_beside_every_view():
    worn = {"type": "InertialFrames", "width": 16, "widths": (8, 8, 16)}
    network = MultiView(5, {"rgb": RGB, "inertial": worn}, width=32, worn=("inertial",)).eval()
    rgb, inertial = torch.rand(2, 1, 6, 3, 32, 32).expand(-1, 3, -1, -1, -1, -1), torch.rand(2, 6, 24, 6)
    output = network(rgb, inertial)
    torch.testing.assert_close(output["view_logits"][:, 0], output["view_logits"][:, 2])
    assert not torch.equal(output["logits"], network(rgb, inertial + 1)["logits"])
    with pytest.raises(ValueError, match="no modality with views"):
        MultiView(5, {"inertial": worn}, worn=("inertial",))
