"""Networks made of networks."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from kdbench.backbones import InertialCNN, LateFusion, Peers, SkeletonCNN, TokenFusion
from kdbench.backbones.multimodal import mean_logits
from kdbench.registry import BACKBONES
from kdbench.spec import MissingWeightsError
from kdbench.taps import Taps

SKELETON = {"type": "SkeletonCNN", "widths": (8, 8, 8)}
INERTIAL = {"type": "InertialCNN", "width": 6}


@pytest.fixture
def clips() -> tuple[Tensor, Tensor]:
    return torch.rand(3, 24, 20, 3), torch.rand(3, 64, 6)


@pytest.mark.parametrize("of", ["probabilities", "logits"])
def test_means_are_means(of: str) -> None:
    logits = torch.randn(4, 3, 5)
    wanted = logits.softmax(-1).mean(0) if of == "probabilities" else logits.mean(0).softmax(-1)
    torch.testing.assert_close(mean_logits(logits, of).softmax(-1), wanted)


def test_the_mean_of_sigmoids_is_in_log_odds() -> None:
    logits = torch.randn(4, 3, 5)
    torch.testing.assert_close(mean_logits(logits, "sigmoid").sigmoid(), logits.sigmoid().mean(0))


@pytest.mark.parametrize("of", ["probabilities", "sigmoid"])
def test_means_of_certain_networks_stay_finite(of: str) -> None:
    assert mean_logits(torch.tensor([[[500.0, -500.0]], [[400.0, -400.0]]]), of).isfinite().all()


@pytest.mark.parametrize("of", ["probabilities", "logits", "sigmoid"])
def test_shares_are_how_much_each_network_counts(of: str) -> None:
    logits, shares = torch.randn(4, 3, 5), (0.6, 0.6, 0.4, 0.4)
    often = torch.cat((logits, logits, logits[:2]))  # 3 : 3 : 2 : 2
    torch.testing.assert_close(mean_logits(logits, of, shares), mean_logits(often, of))
    torch.testing.assert_close(mean_logits(logits, of, (2.0,) * 4), mean_logits(logits, of))
    assert not torch.allclose(mean_logits(logits, of, shares), mean_logits(logits, of))


def test_four_streams_are_joined_as_their_authors_do(clips: tuple[Tensor, Tensor]) -> None:
    streams = [{**SKELETON, "streams": (name,)} for name in ("joint", "bone", "motion", "bone_motion")]
    network = LateFusion(5, streams, fusion="logits", shares=(0.6, 0.6, 0.4, 0.4)).eval()
    alone = torch.stack([member(clips[0]) for member in network.members])
    scores = 0.6 * (alone[0] + alone[1]) + 0.4 * (alone[2] + alone[3])
    torch.testing.assert_close(2 * network(clips[0]), scores)


@pytest.mark.parametrize("shares", [(1.0,), (0.6, 0.0), (0.6, -0.4)])
def test_every_member_has_a_positive_share(shares: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="there is: 2 members, a positive share each"):
        LateFusion(5, [SKELETON, INERTIAL], shares=shares)


def test_an_unknown_mean_has_near_matches() -> None:
    with pytest.raises(ValueError, match="the fusion 'logit' is unknown; did you mean: logits"):
        LateFusion(5, [SKELETON], fusion="logit")


def test_late_fusion_is_the_mean_of_its_members(clips: tuple[Tensor, Tensor]) -> None:
    network = LateFusion(5, [SKELETON, INERTIAL]).eval()
    assert network.reads == ("skeleton", "inertial")
    alone = [member(clip) for member, clip in zip(network.members, clips, strict=True)]
    with Taps(network, network.taps).reading() as out:
        logits = network(*clips)
    torch.testing.assert_close(logits.exp(), torch.stack(alone).softmax(-1).mean(0))
    torch.testing.assert_close(out.member_logits, alone)
    torch.testing.assert_close(torch.cat(out.member_embeddings, 1), out.embedding)
    assert out.embedding.shape == (3, 16 + 36)
    assert [stage.shape[1] for stage in out.stages] == [8, 8, 8]


def test_the_lead_gives_the_maps(clips: tuple[Tensor, Tensor]) -> None:
    network = LateFusion(5, [SKELETON, INERTIAL], lead=1)
    assert network.taps["stages"] == [f"members.1.body.blocks.{i}" for i in range(3)]


def test_members_that_read_the_same_share_it(clips: tuple[Tensor, Tensor]) -> None:
    streams = [{**SKELETON, "streams": (name,)} for name in ("joint", "bone", "motion")]
    network = LateFusion(5, [*streams, INERTIAL])
    assert network.reads == ("skeleton", "inertial")
    assert network(*clips).shape == (3, 5)


def test_members_come_from_their_own_files(tmp_path: Path, clips: tuple[Tensor, Tensor]) -> None:
    skeleton, inertial = SkeletonCNN(5, widths=(8, 8, 8)).eval(), InertialCNN(5, width=6).eval()
    save_file(skeleton.state_dict(), tmp_path / "skeleton.safetensors")
    save_file({f"net.{k}": v for k, v in inertial.state_dict().items()}, tmp_path / "inertial.safetensors")
    network = LateFusion(
        5,
        [
            {**SKELETON, "weights": str(tmp_path / "skeleton.safetensors")},
            {**INERTIAL, "weights": str(tmp_path / "inertial.safetensors"), "prefix": "net."},
        ],
    ).eval()
    network.load_own_weights()
    assert torch.equal(network.members[0](clips[0]), skeleton(clips[0]))
    assert torch.equal(network.members[1](clips[1]), inertial(clips[1]))


def test_no_file_is_read_before_it_is_asked_for(tmp_path: Path) -> None:
    network = LateFusion(5, [{**SKELETON, "weights": str(tmp_path / "absent.safetensors")}])
    with pytest.raises(MissingWeightsError, match=r"there is no weight file .*absent\.safetensors"):
        network.load_own_weights()


@pytest.mark.parametrize(
    ("files", "known"), [((None, None), False), (("a", None), False), (("random", "a"), True)]
)
def test_fusion_knows_whether_its_weights_are_said(files: tuple[str | None, ...], known: bool) -> None:
    members = [{**INERTIAL, **({"weights": path} if path else {})} for path in files]
    assert LateFusion(5, members).has_own_weights is known


def test_random_members_need_no_file() -> None:
    LateFusion(5, [{**INERTIAL, "weights": "random"}]).load_own_weights()


def test_members_must_be_single_clip_networks() -> None:
    with pytest.raises(ValueError, match="LateFusion joins single-clip networks; Peers is none"):
        LateFusion(5, [{"type": "Peers", "networks": [SKELETON]}])


def test_an_unknown_member_has_near_matches() -> None:
    with pytest.raises(ValueError, match="no backbone is called 'SkeletonCN'; did you mean: SkeletonCNN"):
        LateFusion(5, [{"type": "SkeletonCN"}])


def test_token_fusion_hears_every_encoder(clips: tuple[Tensor, Tensor]) -> None:
    network = TokenFusion(5, [SKELETON, INERTIAL], width=16).eval()
    logits = network(*clips)
    for changed in range(2):
        other = [clip + (0.5 if i == changed else 0) for i, clip in enumerate(clips)]
        assert not torch.allclose(network(*other), logits)
    with Taps(network, network.taps).reading() as out:
        network(*clips)
    torch.testing.assert_close(out.attention[0].sum(-1), torch.ones(out.attention[0].shape[:-1]))
    assert out.tokens[-1].shape == (3, 1 + 6 + 8, 16)


def test_encoders_of_token_fusion_have_no_classifier() -> None:
    network = TokenFusion(5, [SKELETON, INERTIAL], width=16)
    assert not any(name.startswith("encoders") and ".fc." in name for name, _ in network.named_parameters())


def test_peers_stand_side_by_side(clips: tuple[Tensor, Tensor]) -> None:
    network = Peers(5, [SKELETON, INERTIAL]).eval()
    output = network(*clips)
    assert output["peers"].shape == (3, 2, 5)
    torch.testing.assert_close(output["logits"], output["peers"].mean(1))
    torch.testing.assert_close(output["peers"][:, 1], network.networks[1](clips[1]))


def test_reads_of_a_member_can_be_said() -> None:
    network = Peers(5, [INERTIAL, {**INERTIAL, "reads": ("phone",)}])
    assert network.reads == ("inertial", "phone")


def test_all_are_registered() -> None:
    assert {"LateFusion", "TokenFusion", "Peers"} <= set(BACKBONES.module_dict)
