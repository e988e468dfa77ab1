"""Graphs, streams and what the skeleton networks make of them."""

import pytest
import torch
from torch import Tensor

from kdbench.backbones import STGCN, CompactSTGCN, SkeletonCNN
from kdbench.backbones.graphs import PARENTS, adjacency, bones_of, parents_of
from kdbench.backbones.streams import MOTION_SCALE, bones, motions, stack_streams
from kdbench.taps import Taps

ROOTS = {"utd_mhad": 3, "kinect_v1": 2, "ntu": 20, "ntu_agcn": 20, "coco": 0}
JOINTS = {"utd_mhad": 20, "kinect_v1": 20, "ntu": 25, "ntu_agcn": 25, "coco": 17}


@pytest.fixture
def position() -> Tensor:
    return torch.rand(2, 5, 20, 3)


@pytest.mark.parametrize("graph", sorted(PARENTS))
def test_a_graph_is_one_tree(graph: str) -> None:
    parents = parents_of(graph)
    assert len(parents) == JOINTS[graph]
    assert [j for j, parent in enumerate(parents) if j == parent] == [ROOTS[graph]]
    for joint in range(len(parents)):
        steps = 0
        while parents[joint] != joint:
            joint, steps = parents[joint], steps + 1
            assert steps < len(parents)


def test_kinect_v1_has_the_published_bones() -> None:
    one_based = [
        (1, 2), (2, 3), (3, 3), (4, 3), (5, 3), (6, 5), (7, 6), (8, 7), (9, 3), (10, 9), (11, 10), (12, 11),
        (13, 1), (14, 13), (15, 14), (16, 15), (17, 1), (18, 17), (19, 18), (20, 19),
    ]  # fmt: skip
    assert parents_of("kinect_v1") == tuple(parent - 1 for _, parent in one_based)


def test_an_unknown_graph_has_near_matches() -> None:
    with pytest.raises(ValueError, match="no skeleton graph is called 'utd'; did you mean: utd_mhad"):
        parents_of("utd")


@pytest.mark.parametrize("graph", sorted(PARENTS))
def test_adjacency_averages(graph: str) -> None:
    own, upward, downward = adjacency(graph)
    assert torch.equal(own, torch.eye(JOINTS[graph]))
    assert sorted(upward.sum(1).tolist()) == [0.0] + [1.0] * (JOINTS[graph] - 1)  # the root has no parent
    children = downward.sum(1)
    assert torch.allclose(children[children > 0], torch.ones(()))


@pytest.mark.parametrize("graph", sorted(PARENTS))
def test_adjacency_of_the_joint_degree_averages_all_neighbours(graph: str) -> None:
    kinds = adjacency(graph, joint_degree=True)
    assert torch.allclose(kinds.sum((0, 2)), torch.ones(JOINTS[graph]))
    for joint in range(JOINTS[graph]):
        taken = kinds[:, joint][kinds[:, joint] > 0]
        assert torch.allclose(taken, taken[0].expand_as(taken))


def test_kinect_v2_has_the_published_bones() -> None:
    body = [
        (1, 2), (2, 21), (3, 21), (4, 3), (5, 21), (6, 5), (7, 6), (8, 7), (9, 21), (10, 9), (11, 10), (12, 11),
        (13, 1), (14, 13), (15, 14), (16, 15), (17, 1), (18, 17), (19, 18), (20, 19), (21, 21),
    ]  # fmt: skip
    hands = {
        "ntu": [(22, 8), (23, 8), (24, 12), (25, 12)],
        "ntu_agcn": [(22, 23), (23, 8), (24, 25), (25, 12)],
    }
    for graph, ends in hands.items():
        assert parents_of(graph) == tuple(parent - 1 for _, parent in sorted(body + ends))


# PYSKL's JointToBone of nturgb+d, from zero: joint, where its bone begins
PUBLISHED_BONES = [
    (0, 1), (1, 20), (2, 20), (3, 2), (4, 20), (5, 4), (6, 5), (7, 6), (8, 20), (9, 8), (10, 9), (11, 10), (12, 0),
    (13, 12), (14, 13), (15, 14), (16, 0), (17, 16), (18, 17), (19, 18), (20, 20),
    (21, 22), (22, 7), (23, 24), (24, 11),
]  # fmt: skip


@pytest.mark.parametrize("graph", sorted(PARENTS))
def test_bones_are_those_of_the_graph_but_for_the_hands_of_kinect_v2(graph: str) -> None:
    published = tuple(start for _, start in PUBLISHED_BONES)
    assert bones_of(graph) == (published if graph in ("ntu", "ntu_agcn") else parents_of(graph))
    with pytest.raises(ValueError, match="no skeleton graph is called 'ntu_'"):
        bones_of("ntu_")


@pytest.mark.parametrize("kind", [SkeletonCNN, CompactSTGCN, STGCN])
def test_the_graph_of_ntu_reads_the_published_bones_and_keeps_its_neighbours(kind: type) -> None:
    networks = [kind(5, graph=graph, streams=("bone",)).eval() for graph in ("ntu", "ntu_agcn")]
    read = []
    for network in networks:
        norm = getattr(network, "input", network).norm
        norm.register_forward_pre_hook(lambda _, values: read.append(values[0]))
    position = torch.rand(2, 8, 25, 3)
    for network in networks:
        network(position)
    assert torch.equal(*read)
    assert adjacency("ntu")[1, [21, 22, 23, 24], [7, 7, 11, 11]].tolist() == [1.0] * 4


def test_bones_lead_back_to_the_joints(position: Tensor) -> None:
    parents = torch.tensor(parents_of("utd_mhad"))
    bone = bones(position, parents)
    assert torch.equal(bone[:, :, 3], torch.zeros(2, 5, 3))
    torch.testing.assert_close(bone + position[:, :, parents], position)


def test_motion_is_the_scaled_step_and_ends_at_rest(position: Tensor) -> None:
    motion = motions(position)
    torch.testing.assert_close(motion[:, 1], MOTION_SCALE * (position[:, 2] - position[:, 1]))
    assert torch.equal(motion[:, -1], torch.zeros(2, 20, 3))


def test_streams_stand_side_by_side(position: Tensor) -> None:
    parents = torch.tensor(parents_of("utd_mhad"))
    stacked = stack_streams(position, parents, ("bone_motion", "joint"))
    assert torch.equal(stacked[..., 3:], position)
    assert torch.equal(stacked[..., :3], motions(bones(position, parents)))


@pytest.mark.parametrize("kind", [SkeletonCNN, CompactSTGCN])
def test_an_unknown_stream_has_near_matches(kind: type) -> None:
    with pytest.raises(ValueError, match="no skeleton stream is called 'bones'; did you mean: bone"):
        kind(27, streams=("joint", "bones"))
    with pytest.raises(
        ValueError, match="no skeleton stream is called ''; there is: bone, bone_motion, joint"
    ):
        kind(27, streams=())


@pytest.mark.parametrize("kind", [SkeletonCNN, CompactSTGCN])
def test_motion_ignores_where_the_person_stands(kind: type, position: Tensor) -> None:
    network = kind(27, streams=("motion",)).eval()
    torch.testing.assert_close(network(position), network(position + 3), rtol=1e-3, atol=1e-4)


def test_stages_keep_time_before_channels_are_pooled() -> None:
    network = SkeletonCNN(27).eval()
    with Taps(network, network.taps).reading() as out:
        logits = network(torch.rand(2, 48, 20, 3))
    assert [tuple(stage.shape) for stage in out.stages] == [(2, 96, 48), (2, 192, 24), (2, 192, 12)]
    assert torch.equal(out.stages[1], out.preacts[1].relu())
    assert out.embedding.shape == (2, network.width)
    assert torch.equal(network.fc(out.embedding), logits)


def test_the_learned_adjacency_learns() -> None:
    network = CompactSTGCN(27)
    network(torch.rand(4, 16, 20, 3)).square().sum().backward()
    assert all(block.learned.grad.abs().sum() > 0 for block in network.blocks)
