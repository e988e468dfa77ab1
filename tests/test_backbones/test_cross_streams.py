"""Two networks of which one multiplies what the other reads."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from kdbench.backbones import CrossStreams, LateFusion
from kdbench.taps import Taps

SKELETON = {"type": "SkeletonCNN", "widths": (8, 8, 8)}
INERTIAL = {"type": "InertialCNN", "width": 6}


@pytest.fixture
def clips() -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    return torch.rand(3, 24, 20, 3), torch.rand(3, 64, 6)


def streams(*members: dict, **options) -> CrossStreams:
    torch.manual_seed(0)
    return CrossStreams(5, members or (SKELETON, INERTIAL), **options).eval()


def opened(network: CrossStreams) -> CrossStreams:
    """With gates that let something through."""
    for gate in network.gates:
        nn.init.normal_(gate.map.weight)
        nn.init.normal_(gate.map.bias)
    return network


def test_it_begins_as_the_two_networks_alone(clips) -> None:
    network = streams()
    alone = [member(clip) for member, clip in zip(network.members, clips, strict=True)]
    torch.testing.assert_close(network(*clips), sum(alone) / 2)


def test_the_taker_reads_its_map_plus_its_map_times_the_giver_s(clips) -> None:
    network = opened(streams())
    giver, taker = network.members
    given, x = giver.begin(clips[0]), taker.begin(clips[1])
    for i in range(3):
        block, read = taker.body.blocks[i], x
        if i:
            gate = network.gates[i - 1].map(given)
            read = x * (1 + nn.functional.interpolate(gate, x.shape[-1], mode="linear"))
        inner = block.norm2(block.conv2(block.norm1(block.conv1(read)).relu()))
        x = (inner + block.shortcut(x)).relu()
        given = giver.body.blocks[i](given)
    expected = [giver.fc(giver.pool(given)), taker.fc(taker.pool(x))]
    with Taps(network, network.taps).reading() as out:
        logits = network(*clips)
    torch.testing.assert_close(out.member_logits, expected)
    torch.testing.assert_close(logits, sum(expected) / 2)
    torch.testing.assert_close(out.stages[-1], given)


def test_the_giver_hears_nothing_of_the_taker(clips) -> None:
    network = opened(streams())
    with Taps(network, network.taps).reading() as out:
        network(*clips)
    with Taps(network, network.taps).reading() as other:
        network(clips[0], clips[1] + 1)
    assert torch.equal(out.member_logits[0], other.member_logits[0])
    assert not torch.allclose(out.member_logits[1], other.member_logits[1])


def test_plain_gates_are_the_giver_s_map_and_want_equal_ones(clips) -> None:
    network = streams(INERTIAL, {**INERTIAL}, gates="plain")
    assert network.reads == ("inertial",)
    learned = streams(INERTIAL, {**INERTIAL})
    learned.load_state_dict({**learned.state_dict(), **network.state_dict()})
    for gate, width in zip(learned.gates, (6, 12), strict=True):
        gate.map.weight.data.copy_(torch.eye(width)[..., None])
    torch.testing.assert_close(network(clips[1]), learned(clips[1]))
    with pytest.raises(
        ValueError, match=r'^gates="plain" wants equal channels; there is: \[\(8, 6\), \(8, 12\)\]'
    ):
        streams(gates="plain")


def test_one_stream_is_read_from_the_file_of_both(tmp_path: Path, clips) -> None:
    network, path = streams(), tmp_path / "both.safetensors"
    save_file(network.state_dict(), path)
    for place, member in enumerate((SKELETON, INERTIAL)):
        alone = LateFusion(5, [{**member, "weights": str(path), "prefix": f"members.{place}."}]).eval()
        alone.load_own_weights()
        found = alone(clips[place]).exp()
        torch.testing.assert_close(found, network.members[place](clips[place]).softmax(1))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: streams(gates="learnt"), "gates 'learnt' are unknown; did you mean: learned, plain?"),
        (
            lambda: streams(SKELETON, {"type": "InertialTransformer"}),
            "CrossStreams joins two networks with residual blocks over time; there is: SkeletonCNN, "
            "InertialTransformer; take SkeletonCNN, InertialCNN or VideoCNN",
        ),
        (
            lambda: streams({**SKELETON, "widths": (8, 8), "strides": (1, 2)}, INERTIAL),
            "CrossStreams joins as many blocks of both networks; there is: [2, 3] of SkeletonCNN, InertialCNN",
        ),
    ],
)
def test_what_cannot_work_is_said(make, message) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the whole text is compared
        make()
    assert str(error.value) == message
