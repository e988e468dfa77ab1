"""Frame encoders of rendered depth and of a worn sensor, and the families that read both."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from kdbench.backbones import FrameCNN, InertialFrames, MultiASL, MultiTrans, MultiTSF
from kdbench.backbones.video import with_persons

ENCODERS = {
    "depth": {
        "type": "FrameCNN",
        "in_channels": 1,
        "width": 16,
        "widths": (8, 8),
        "grid": (2, 2),
        "rendered": True,
    },
    "inertial": {"type": "InertialFrames", "width": 8, "widths": (8, 16)},
}
SIZES: dict[type[nn.Module], dict[str, Any]] = {
    MultiASL: {"head_width": 8},
    MultiTSF: {"heads": 4, "view_hidden": 16},
    MultiTrans: {},
}
families = pytest.mark.parametrize("family", SIZES)
VIEWS, FRAMES = 3, 6


def rendered() -> Tensor:
    """Two clips of one view, as bytes in [0, 1]; the second shows nobody in its last three frames."""
    torch.manual_seed(1)
    video = torch.randint(1, 256, (2, FRAMES, 1, 16, 12)) * (torch.rand(2, FRAMES, 1, 16, 12) > 0.5) / 255
    video[1, 3:] = 0
    return video


def inputs() -> tuple[Tensor, Tensor]:
    torch.manual_seed(2)
    return rendered()[:, None].repeat(1, VIEWS, 1, 1, 1, 1), torch.randn(2, FRAMES, 12, 6)


def network(family: type[nn.Module], **options: Any) -> nn.Module:
    torch.manual_seed(0)
    return family(5, ENCODERS, width=16, worn=("inertial",), **SIZES[family], **options).eval()


def test_persons_stand_out_from_the_background() -> None:
    levels = with_persons(torch.arange(256) / 255)
    assert levels[0] == 0
    assert levels[1:].diff() == pytest.approx(1 / 40, abs=1e-4)
    assert levels[128].item() == pytest.approx(0.5, abs=1e-5)


def test_frames_without_anybody_give_zeros_and_change_nothing() -> None:
    torch.manual_seed(0)
    encoder = FrameCNN(1, 16, (8, 8), (2, 2), rendered=True)
    with torch.no_grad():
        encoder.project.bias.fill_(1.0)
    features = encoder(rendered())
    assert (features[1, 3:] == 0).all()
    assert (features[0] != 0).any(-1).all()
    statistics = encoder.convs[0][1].running_mean.clone()
    alone = FrameCNN(1, 16, (8, 8), (2, 2), rendered=True)
    alone.load_state_dict({**encoder.state_dict(), "convs.0.1.running_mean": torch.zeros(8)})
    seen = rendered()
    alone(torch.cat((seen[0], seen[1, :3]))[None])
    torch.testing.assert_close(alone.convs[0][1].running_mean, statistics)


def test_clips_without_anybody_leave_the_encoder_as_it_is() -> None:
    encoder = FrameCNN(1, 16, (8, 8), (2, 2), rendered=True).train()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    assert (encoder(torch.zeros(2, 3, 1, 16, 12)) == 0).all()
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())


@pytest.mark.parametrize("shape", [(2, 1, 16, 12), (2, 3, 2, 16, 12), (2, 2, 3, 1, 16, 12)])
def test_clips_of_another_shape_are_refused_even_if_they_show_nobody(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"there is: \(B, T, 1, H, W\)"):
        FrameCNN(1, 16, (8, 8), (2, 2), rendered=True)(torch.zeros(shape))


def test_context_reaches_the_neighbours_and_not_other_clips() -> None:
    torch.manual_seed(0)
    plain, wide = (FrameCNN(1, 16, (8, 8), (2, 2), context=count).eval() for count in (0, 1))
    video = torch.rand(2, 12, 1, 16, 12)
    changed = video.clone()
    changed[0, 5] = 1 - changed[0, 5]

    def moved(encoder: nn.Module) -> list[int]:
        difference = (encoder(changed) - encoder(video)).abs().amax(-1)
        assert (difference[1] < 1e-6).all()
        return torch.nonzero(difference[0] > 1e-6).flatten().tolist()

    assert moved(plain) == [5]
    assert moved(wide) == list(range(1, 10))


@pytest.mark.parametrize("frames", [6, 24])
def test_a_sensor_s_frames_stay_at_their_time(frames: int) -> None:
    torch.manual_seed(0)
    encoder = InertialFrames(8, widths=(8, 16)).eval()
    signal = torch.randn(1, frames, 24, 6)
    assert encoder(signal).shape == (1, frames, 8)
    changed = signal.clone()
    changed[0, frames // 2] += 1
    moved = torch.nonzero((encoder(changed) - encoder(signal)).abs().amax(-1)[0] > 1e-6).flatten().tolist()
    assert frames // 2 in moved
    assert {*moved} <= {frames // 2 + step for step in (-1, 0, 1)}


@families
def test_a_worn_sensor_is_the_same_in_every_view(family: type[nn.Module]) -> None:
    model = network(family, cross_modal=True)
    output = model(*inputs())
    assert output["inertial_features"].shape == (2, VIEWS, FRAMES, 16)
    assert (output["inertial_features"] == output["inertial_features"][:, :1]).all()
    assert output["features"].shape == (2, VIEWS, FRAMES, 32)
    depth, inertial = inputs()
    other = model(depth, inertial.flip(0))
    assert not torch.allclose(output["logits"], other["logits"])
    torch.testing.assert_close(other["inertial_features"], output["inertial_features"].flip(0))


@families
def test_the_sensor_alone_is_one_view(family: type[nn.Module]) -> None:
    output = network(family, modalities=("inertial",))(inputs()[1])
    assert output["view_logits"].shape == (2, 1, 5)
    assert output["frame_logits"].shape == (2, FRAMES, 5)


@families
def test_a_guess_of_the_sensor_has_the_shape_of_its_features(family: type[nn.Module]) -> None:
    student = network(family, modalities=("depth",), hallucinate="inertial", cross_modal=True)
    teacher = network(family, cross_modal=True)
    depth, inertial = inputs()
    assert student(depth)["hallucinated"].shape == teacher(depth, inertial)["inertial_features"].shape


@families
def test_the_order_of_views_does_not_matter(family: type[nn.Module]) -> None:
    model = network(family, cross_modal=True)
    depth, inertial = inputs()
    depth = depth * torch.tensor([1.0, 0.0, 0.5])[None, :, None, None, None, None]
    torch.testing.assert_close(
        model(depth.flip(1), inertial)["logits"], model(depth, inertial)["logits"], rtol=1e-4, atol=1e-5
    )
