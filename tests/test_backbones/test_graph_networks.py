"""Graph networks and PoseC3D: published sizes, persons, and sums over neighbours against plain loops."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from kdbench.backbones import AGCN, CTRGCN, STGCN, CompactSTGCN, PoseC3D, STGCNPlusPlus
from kdbench.backbones.agcn import AdaptiveGraphConv
from kdbench.backbones.ctrgcn import ChannelRefinement, FourBranches, TopologyGraphConv
from kdbench.backbones.graph_network import gathered, graph_convolution
from kdbench.backbones.graphs import adjacency
from kdbench.backbones.posec3d import JointHeatMaps
from kdbench.compose import parts
from kdbench.distillers import FitNet
from kdbench.evaluation.cost import gflops
from kdbench.registry import BACKBONES, build
from kdbench.spec import Fields
from kdbench.taps import Taps

CONFIGS = Path(__file__).parents[2] / "configs"
PUBLISHED = {
    name: part.config for name, part in parts(CONFIGS, "models").items() if part.path.stem == "skeleton_paper"
}
# Millions of parameters with 60 classes (mmaction2's tables); CTR-GCN's authors count with 120.
MILLIONS = {"stgcn_paper": 3.1, "stgcnpp_paper": 1.4, "agcn_paper": 3.5, "posec3d_paper": 2.0}
GRAPH_NETWORKS = [STGCN, STGCNPlusPlus, AGCN, CTRGCN]
SMALL: dict[str, Any] = dict(graph="kinect_v1", widths=(8, 16), strides=(1, 2))


def size(name: str, num_classes: int) -> float:
    with torch.device("meta"):
        network = build(BACKBONES, PUBLISHED[name], num_classes=num_classes)
    return sum(parameter.numel() for parameter in network.parameters()) / 1e6


def test_every_published_network_is_counted() -> None:
    assert {*PUBLISHED} == {*MILLIONS, "ctrgcn_paper"}


@pytest.mark.parametrize("name", sorted(MILLIONS))
def test_parameters_round_to_the_published_figure(name: str) -> None:
    assert round(size(name, 60), 1) == MILLIONS[name]


def test_ctrgcn_has_the_published_parameters() -> None:
    assert round(size("ctrgcn_paper", 120), 2) == 1.46


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*MILLIONS, "ctrgcn_paper"}))
def test_published_networks_run_forward_and_backward(name: str) -> None:
    network = build(BACKBONES, PUBLISHED[name], num_classes=60)
    joints = 17 if name == "posec3d_paper" else 25
    with Taps(network, network.taps).reading() as out:
        logits = network(torch.rand(1, 2, 16, joints, 3))
    logits.square().sum().backward()
    assert logits.shape == (1, 60)
    assert out.embedding.shape == (1, network.width)
    assert {len(stage) for stage in out.stages} == {1}
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())


@pytest.mark.parametrize("kind", [*GRAPH_NETWORKS, PoseC3D])
def test_a_clip_of_one_person_is_a_clip_of_several_where_the_others_are_absent(kind: type[nn.Module]) -> None:
    network = small(kind, persons=2)
    clip = torch.rand(2, 8, 20, 3) - 0.5
    padded = torch.stack((clip, torch.zeros_like(clip)), 1)
    torch.testing.assert_close(network(clip), network(padded))


@pytest.mark.parametrize("kind", [*GRAPH_NETWORKS, CompactSTGCN])
def test_stages_are_sequences_that_a_method_compares_frame_by_frame(kind: type[nn.Module]) -> None:
    torch.manual_seed(0)
    network, clip = kind(5, **SMALL), torch.rand(2, 16, 20, 3) - 0.5
    with Taps(network, network.taps).reading() as out:
        network(clip)
    assert all(stage.dim() == 3 for stage in out.stages)
    guess = torch.randn(2, 6, out.stages[-1].shape[2])
    method = FitNet([guess.shape[1:]], [out.stages[-1].shape[1:]])
    losses = [
        method(Fields(stages=[guess]), Fields(stages=[target]), Fields())["loss_fitnet"]
        for target in (out.stages[-1], out.stages[-1].flip(2))
    ]
    assert abs(losses[0] - losses[1]) > 1e-4 * losses[0]


def test_the_stem_of_posec3d_pools_and_its_blocks_begin_as_their_shortcuts() -> None:
    network = PoseC3D(5, joints=20, width=4, blocks=(2, 1, 1), frames=4, size=16, coordinates="front")
    assert isinstance(network.stem[-1], nn.MaxPool3d)
    maps = torch.zeros(1, 20, 2, 8, 8)
    maps[:, :, :, 4, 4] = 1.0
    wide = network.stem[:-1](maps)
    torch.testing.assert_close(network.stem(maps)[..., 4, 4], wide[..., 3:6, 3:6].amax((3, 4)))
    block = network.stages[0][1]
    x = torch.rand(2, network.stages[0][0].conv3.out_channels, 2, 4, 4)
    torch.testing.assert_close(block(x), x)


@pytest.mark.parametrize("kind", [STGCN, STGCNPlusPlus, PoseC3D])
def test_the_order_of_persons_does_not_matter(kind: type[nn.Module]) -> None:
    network = small(kind, persons=2)
    clip = torch.rand(2, 2, 8, 20, 3) - 0.5
    torch.testing.assert_close(network(clip), network(clip.flip(1)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", GRAPH_NETWORKS)
def test_more_persons_than_built_for_is_an_error(kind: type[nn.Module]) -> None:
    with pytest.raises(ValueError, match="2 persons a clip; the network was built for persons=1"):
        small(kind, persons=1)(torch.rand(1, 2, 8, 20, 3))


@pytest.mark.parametrize("kind", GRAPH_NETWORKS)
def test_widths_and_strides_go_together(kind: type[nn.Module]) -> None:
    with pytest.raises(ValueError, match="2 widths for 1 strides"):
        kind(5, **{**SMALL, "strides": (1,)})


@pytest.mark.parametrize(
    "kind", [STGCN, STGCNPlusPlus, CTRGCN]
)  # AGCN's joints see all others, by their likeness
def test_a_graph_convolution_sees_one_step_of_the_graph(kind: type[nn.Module]) -> None:
    block = small(kind, persons=1).blocks[0].spatial
    x = torch.rand(1, 3, 4, 20)
    moved = x.clone()
    moved[..., 7] += 1.0  # the left hand: its parent is joint 6
    changed = (block(x) - block(moved)).abs().amax((0, 1, 2)) > 1e-9
    assert set(torch.nonzero(changed).flatten().tolist()) <= {6, 7}


@pytest.mark.parametrize("kind", [*GRAPH_NETWORKS, PoseC3D])
def test_the_cost_of_a_clip_grows_with_its_persons(kind: type[nn.Module]) -> None:
    one, two = (gflops(small(kind, persons=p), torch.zeros(1, 8, 20, 3)) for p in (1, 2))
    assert two == pytest.approx(one if kind is PoseC3D else 2 * one, rel=0.02)


def small(kind: type[nn.Module], persons: int) -> nn.Module:
    torch.manual_seed(0)
    if kind is PoseC3D:
        network = PoseC3D(5, joints=20, width=4, blocks=(1, 1, 1), frames=4, size=16, coordinates="front")
    else:
        network = kind(5, persons=persons, **SMALL)
    for module in network.modules():  # gains of 1e-6 would hide what is compared
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
    return network.eval()


def neighbours_summed(x: Tensor, weights: Tensor) -> Tensor:
    """Plain loops over clips, kinds and pairs of joints."""
    expected = torch.zeros_like(x[:, 0])
    for b, kind, joint, other in product(*map(range, (*x.shape[:2], x.shape[4], x.shape[4]))):
        expected[b, :, :, joint] += weights[b, kind, joint, other] * x[b, kind, :, :, other]
    return expected


@given(st.integers(1, 3), st.integers(1, 3))
def test_gathered_is_the_sum_over_kinds_and_neighbours(batch: int, kinds: int) -> None:
    x = torch.randn(batch, kinds, 2, 3, 4, dtype=torch.float64)
    weights = torch.randn(batch, kinds, 4, 4, dtype=torch.float64)
    torch.testing.assert_close(gathered(x, weights), neighbours_summed(x, weights))


@given(st.integers(1, 3), st.integers(1, 3), st.booleans())
def test_a_graph_convolution_mixes_channels_and_sums_neighbours(batch: int, kinds: int, last: bool) -> None:
    x, neighbours = torch.randn(batch, 5, 3, 4).double(), torch.randn(kinds, 4, 4).double()
    x = x.contiguous(memory_format=torch.channels_last) if last else x
    conv = nn.Conv2d(5, kinds * 2, 1).double()
    expected = neighbours_summed(conv(x).unflatten(1, (kinds, 2)), neighbours.expand(batch, -1, -1, -1))
    torch.testing.assert_close(graph_convolution(x, neighbours, conv), expected)


def test_likeness_is_the_softmax_of_scaled_products() -> None:
    torch.manual_seed(0)
    layer = AdaptiveGraphConv(3, 8, adjacency("kinect_v1"))
    x = torch.rand(2, 3, 5, 20)
    found = layer.likeness(x)
    query, key = layer.query(x), layer.key(x)
    for kind in range(3):
        own = slice(2 * kind, 2 * kind + 2)
        for joint in range(20):
            dots = torch.stack(
                [(key[:, own, :, joint] * query[:, own, :, other]).sum((1, 2)) / 10 for other in range(20)],
                -1,
            )
            torch.testing.assert_close(found[:, kind, joint], dots.softmax(-1))


def test_refined_graphs_differ_by_channel() -> None:
    torch.manual_seed(0)
    layer = ChannelRefinement(3, 4)
    x = torch.rand(2, 3, 5, 20)
    mean = x.mean(2)
    source = torch.einsum("rc,bcj->brj", layer.source.weight.flatten(1), mean) + layer.source.bias[:, None]
    sink = torch.einsum("rc,bcj->brj", layer.sink.weight.flatten(1), mean) + layer.sink.bias[:, None]
    relation = torch.tanh(source[..., :, None] - sink[..., None, :])
    refined = torch.einsum("or,brij->boij", layer.relation.weight.flatten(1), relation)
    refined = refined + layer.relation.bias[:, None, None]
    torch.testing.assert_close(layer(x), (layer.value(x), refined))


def test_a_topology_is_the_skeletons_and_its_refinement() -> None:
    torch.manual_seed(0)
    layer = TopologyGraphConv(3, 4, adjacency("kinect_v1")).eval()
    nn.init.ones_(layer.norm.weight)
    nn.init.constant_(layer.strength, 0.5)
    x, expected = torch.rand(2, 3, 5, 20), 0
    for kind, neighbours in zip(layer.kinds, layer.neighbours, strict=True):
        value, relation = kind(x)
        expected = expected + torch.einsum("boij,botj->boti", neighbours + 0.5 * relation, value)
    torch.testing.assert_close(layer(x), (layer.norm(expected) + layer.around(x)).relu())


def test_channels_must_divide_among_the_branches() -> None:
    with pytest.raises(ValueError, match="10 channels are no multiple of the 4 branches"):
        FourBranches(10, 1)


def pose(x: float, y: float, score: float) -> Tensor:
    """One clip of one frame with two far corners, which fix the box, and one joint."""
    return torch.tensor([[[[0.0, 0.0, 1.0], [10.0, 10.0, 1.0], [x, y, score]]]])


@given(st.floats(0.5, 9.5), st.floats(0.5, 9.5), st.floats(0.1, 1.0))
def test_a_heat_map_peaks_at_its_joint(x: float, y: float, score: float) -> None:
    size = 57
    heat = JointHeatMaps(frames=1, size=size, sigma=2.0)(pose(x, y, score))[0, 2, 0]
    scale = (size - 1) / (10 * 1.2)
    row, column = (((value - 5) * scale + (size - 1) / 2) for value in (y, x))
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    expected = score * torch.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 8)
    torch.testing.assert_close(heat, expected.float(), rtol=1e-3, atol=1e-4)


def test_heat_maps_do_not_care_where_and_how_large_the_person_stands() -> None:
    skeleton = torch.rand(2, 6, 20, 3) - 0.5
    maps = JointHeatMaps(frames=3, size=20, coordinates="front")
    torch.testing.assert_close(maps(skeleton), maps(3 * skeleton + 7), rtol=1e-3, atol=1e-4)


def test_up_is_up_in_the_front_view() -> None:
    skeleton = torch.tensor([[[[0.1, 0.0, 0.1], [0.1, 1.0, 0.1]]]])
    low, high = JointHeatMaps(frames=1, size=21, coordinates="front")(skeleton)[0, :, 0]
    assert high.amax(1).argmax() < low.amax(1).argmax()


def test_nobody_has_an_empty_map() -> None:
    maps = JointHeatMaps(frames=2, size=8, coordinates="front")(torch.zeros(1, 2, 5, 20, 3))
    assert torch.equal(maps, torch.zeros(1, 20, 2, 8, 8))


def test_unknown_coordinates_have_near_matches() -> None:
    with pytest.raises(ValueError, match="coordinates='images' is unknown; did you mean: image"):
        JointHeatMaps(coordinates="images")
