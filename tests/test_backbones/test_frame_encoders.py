"""Frame encoders at the papers' sizes, against torch's own layers and published counts."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from kdbench.backbones import ENCODERS, FrameResNet, FrameViT, SpectrogramMLP
from kdbench.backbones.blocks import DropPath, SelfAttention, TokenTransformer, TransformerBlock
from kdbench.registry import build

SMALL: dict[str, dict[str, Any]] = {
    "resnet": {"type": FrameResNet, "channels": 4},
    "vit": {"type": FrameViT, "image_size": 32, "patch": 8, "width": 16, "layers": 2, "heads": 2},
}
# Published counts with 1000 classes, less those of the classifier: 11,689,512; 21,797,672; 22,878,952.
PUBLISHED = {
    "resnet18": ({"type": FrameResNet}, 11_176_512, 512),
    "resnet34": ({"type": FrameResNet, "depth": 34}, 21_284_672, 512),
    "vit_s_32": ({"type": FrameViT}, 22_493_952, 384),
    "audio": ({"type": SpectrogramMLP}, 67_323_136, 384),
}
small = pytest.mark.parametrize("name", SMALL)


def encoder(name: str) -> nn.Module:
    torch.manual_seed(0)
    return build(ENCODERS, SMALL[name]).eval()


@pytest.mark.parametrize("name", PUBLISHED)
def test_sizes_are_the_papers(name: str) -> None:
    config, parameters, width = PUBLISHED[name]
    network = build(ENCODERS, config)
    assert sum(p.numel() for p in network.parameters()) == parameters
    assert network.width == width


@pytest.mark.parametrize("name", ["resnet18", "vit_s_32"])
def test_papers_encoders_run_on_papers_frames(name: str) -> None:
    network = build(ENCODERS, PUBLISHED[name][0]).eval()
    with torch.no_grad():
        features = network(torch.rand(1, 1, 3, 224, 224))
    assert features.shape == (1, 1, network.width)
    assert features.isfinite().all()


@small
def test_frames_do_not_mix(name: str) -> None:
    network, video = encoder(name), torch.rand(2, 3, 3, 32, 32)
    whole = network(video)
    assert whole.shape == (2, 3, network.width)
    torch.testing.assert_close(network(video[1:, 2:]), whole[1:, 2:], rtol=1e-4, atol=1e-5)


@small
def test_all_parameters_learn(name: str) -> None:
    network = encoder(name).train()
    network(torch.rand(2, 3, 3, 32, 32)).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def test_a_resnet_shrinks_frames_32_times() -> None:
    network = encoder("resnet")
    shapes = []
    for part in (network.stem, *network.stages):
        part.register_forward_hook(lambda *call: shapes.append(tuple(call[2].shape[1:])))
    network(torch.rand(1, 1, 3, 64, 64))
    assert shapes == [(4, 16, 16), (4, 16, 16), (8, 8, 8), (16, 4, 4), (32, 2, 2)]


def test_the_vit_reads_its_patches_in_rows() -> None:
    """Position codes alone tell one patch from another: two patches swapped with their codes change nothing."""
    network, video = encoder("vit"), torch.rand(1, 1, 3, 32, 32)
    before = network(video)
    swapped = video.clone()
    swapped[..., :8, :8], swapped[..., :8, 8:16] = video[..., :8, 8:16], video[..., :8, :8]
    assert not torch.allclose(network(swapped), before, atol=1e-6)
    with torch.no_grad():
        network.places[[1, 2]] = network.places[[2, 1]]
    torch.testing.assert_close(network(swapped), before, rtol=1e-4, atol=1e-5)


def test_a_block_is_torch_s_pre_norm_layer() -> None:
    torch.manual_seed(0)
    ours = TransformerBlock(16, 4, ratio=4, dropout=0.0).eval()
    theirs = nn.TransformerEncoderLayer(
        16, 4, 64, 0.0, nn.functional.gelu, batch_first=True, norm_first=True
    ).eval()
    state = {f"norm{i}.{k}": v for i in (1, 2) for k, v in getattr(ours, f"norm{i}").state_dict().items()}
    for name, layer in (("linear1", ours.feed[0]), ("linear2", ours.feed[2])):
        state |= {f"{name}.{k}": v for k, v in layer.state_dict().items()}
    mixed, out = ours.attention.mixed, ours.attention.out
    state |= {"self_attn.in_proj_weight": mixed.weight, "self_attn.in_proj_bias": mixed.bias}
    state |= {"self_attn.out_proj.weight": out.weight, "self_attn.out_proj.bias": out.bias}
    theirs.load_state_dict(state)
    x, keep = torch.randn(2, 5, 16), torch.tensor([[True] * 5, [True, False, True, False, True]])
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-4, atol=1e-5)
    masked = theirs(x, src_key_padding_mask=~keep)
    torch.testing.assert_close(ours(x, keep)[keep], masked[keep], rtol=1e-4, atol=1e-5)


def test_heads_may_be_wider_than_their_share() -> None:
    attention = SelfAttention(16, 4, head_width=8, bias=False)
    assert attention.mixed.weight.shape == (96, 16)
    assert attention.mixed.bias is None
    assert attention(torch.randn(2, 5, 16)).shape == (2, 5, 16)


def test_the_class_token_comes_first_and_is_always_read() -> None:
    network = TokenTransformer(16, 2, token_scale=1.0, heads=2).eval()
    x, nothing = torch.randn(2, 4, 16), torch.zeros(2, 4, dtype=torch.bool)
    whole = network(x)
    assert whole.shape == (2, 5, 16)
    alone = network(x, nothing)[:, 0]
    torch.testing.assert_close(alone, network(x[:, :0])[:, 0])


@pytest.mark.parametrize(("with_positions", "differs"), [(False, False), (True, True)])
def test_positions_tell_the_order_of_frames(with_positions: bool, differs: bool) -> None:
    torch.manual_seed(0)
    network = TokenTransformer(16, 2, with_positions=with_positions, heads=2).eval()
    x = torch.randn(1, 4, 16)
    assert torch.allclose(network(x)[:, 0], network(x.flip(1))[:, 0], atol=1e-5) != differs


def test_drop_path_drops_whole_samples_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    x: Tensor = torch.ones(2000, 3, 4)
    dropped = DropPath(0.25)(x)
    torch.testing.assert_close(dropped.unique(), torch.tensor([0.0, 4 / 3]))
    assert torch.equal(dropped.amax((1, 2)), dropped.amin((1, 2)))
    assert abs(float(dropped.mean()) - 1) < 0.05
    assert torch.equal(DropPath(0.25).eval()(x), x)


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="a ResNet of depth 50; there is: 18, 34"):
        FrameResNet(50)
    with pytest.raises(ValueError, match=r"frames of \(30, 30\) cannot be cut into patches of 8"):
        FrameViT(30, 8)
    with pytest.raises(ValueError, match=r"frames of \(16, 16\); there is: \(32, 32\)"):
        encoder("vit")(torch.rand(1, 1, 3, 16, 16))
    with pytest.raises(ValueError, match=r"frames of \(5, 32\) hops and bins; there is: \(8, 32\)"):
        SpectrogramMLP(8, 32)(torch.rand(1, 2, 5, 32))
