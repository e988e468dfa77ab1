"""Signals of one camera, microphone or inertial sensor."""

import pytest
import torch

from kdbench.backbones import AudioCNN, FrameCNN, InertialCNN, SpectrogramCNN, VideoCNN
from kdbench.backbones.inertial import with_magnitudes
from kdbench.backbones.video import with_difference, with_persons
from kdbench.taps import Taps


def test_difference_looks_one_frame_ahead() -> None:
    video = torch.rand(2, 4, 2, 3, 3)
    both = with_difference(video)
    assert torch.equal(both[:, :, :2], video)
    assert torch.equal(both[:, 0, 2:], video[:, 1] - video[:, 0])
    assert torch.equal(both[:, -1, 2:], torch.zeros(2, 2, 3, 3))


def test_magnitudes_do_not_feel_a_turn_of_the_sensor() -> None:
    signal = torch.randn(2, 9, 6)
    turn, _ = torch.linalg.qr(torch.randn(3, 3))
    turned = (signal.unflatten(-1, (2, 3)) @ turn).flatten(-2)
    torch.testing.assert_close(with_magnitudes(turned)[..., 6:], with_magnitudes(signal)[..., 6:])


def test_magnitudes_of_a_silent_sensor_have_a_gradient() -> None:
    signal = torch.zeros(1, 2, 6, requires_grad=True)
    with_magnitudes(signal).sum().backward()
    assert signal.grad.isfinite().all()


def test_more_sensors_widen_the_first_layer_only() -> None:
    assert InertialCNN(27, sensors=4)(torch.rand(2, 64, 12)).shape == (2, 27)


def test_frames_are_encoded_one_by_one() -> None:
    network = FrameCNN(3).eval()
    video = torch.rand(2, 5, 3, 64, 48)
    alone = network(video[:1, 3:4])
    torch.testing.assert_close(alone, network(video)[:1, 3:4], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [(64, 48), (32, 32), (70, 90), (16, 16)])
def test_any_frame_size_is_taken(size: tuple[int, int]) -> None:
    assert VideoCNN(27)(torch.rand(2, 4, 2, *size)).shape == (2, 27)


def test_video_stages_have_one_entry_a_clip() -> None:
    network = VideoCNN(27, modality="rgb")
    with Taps(network, network.taps).reading() as out:
        network(torch.rand(2, 8, 3, 64, 48))
    assert [tuple(stage.shape) for stage in out.stages] == [(2, 128, 8), (2, 128, 4)]
    assert out.frames.shape == (2, 8, 128)
    assert out.frame_stages[-1].shape == (16, 64, 4, 3)


def test_an_unknown_modality_needs_its_channels() -> None:
    with pytest.raises(ValueError, match="the modality 'flow' needs in_channels; known are: depth, rgb"):
        VideoCNN(27, modality="flow")
    assert VideoCNN(27, modality="flow", in_channels=5)(torch.rand(1, 4, 5, 64, 48)).shape == (1, 27)


@pytest.mark.parametrize("shape", [(6, 8, 32), (6, 1, 40), (5, 7, 64)])
def test_a_spectrogram_gives_one_vector_a_frame(shape: tuple[int, int, int]) -> None:
    assert SpectrogramCNN(width=24)(torch.randn(2, *shape)).shape == (2, shape[0], 24)


def test_a_sound_is_felt_in_its_own_frame() -> None:
    network = SpectrogramCNN().eval()
    quiet = torch.zeros(1, 9, 8, 32)
    loud = quiet.clone()
    loud[:, 4] = 3
    change = (network(loud) - network(quiet)).abs().sum(-1)[0]
    assert change.argmax() == 4
    assert change[[0, 1, 7, 8]].max() == 0


def test_audio_reads_audio() -> None:
    assert AudioCNN(5)(torch.randn(2, 6, 8, 32)).shape == (2, 5)


@pytest.mark.parametrize("rendered", [False, True])
def test_shrunken_frames_are_averages_of_squares(rendered: bool) -> None:
    torch.manual_seed(0)
    small = FrameCNN(1, 8, (4, 8), (2, 2), difference=True, rendered=rendered, shrink=2).eval()
    whole = FrameCNN(1, 8, (4, 8), (2, 2), difference=True).eval()
    whole.load_state_dict(small.state_dict())
    video = torch.rand(2, 3, 1, 16, 16) * 0.5 + 0.25
    video[0, 1] = 0  # nobody is seen
    found = small(video)
    seen = with_persons(video) if rendered else video
    squares = seen.reshape(2, 3, 1, 8, 2, 8, 2).mean((4, 6))
    shown = torch.tensor([[1, 0 if rendered else 1, 1], [1, 1, 1]])[..., None]
    torch.testing.assert_close(found, whole(squares) * shown)
