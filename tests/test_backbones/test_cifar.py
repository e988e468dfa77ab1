"""Image networks of the distillation tables: published sizes, stage grids, taps, blocks against plain formulas."""

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from kdbench.backbones import MobileNetV1, ResNet, ShuffleNetV1, WideResNet
from kdbench.backbones.cifar.mobilenet import InvertedResidual
from kdbench.backbones.cifar.shufflenet import SplitBlock, shuffled
from kdbench.compose.parts import parts
from kdbench.registry import BACKBONES, build
from kdbench.spec import Fields
from kdbench.taps import Taps

PARTS = {
    name: part
    for name, part in parts(Path(__file__).parents[2] / "configs", "models").items()
    if part.path.stem == "cifar"
}
# Trainable parameters with 100 classes of the networks in HobbitLong/RepDistiller, models/ at eedab9d and b13aecc (the
# code of Tian et al., Contrastive Representation Distillation, ICLR 2020), counted from its files.
PUBLISHED = {
    "resnet8": 83_892,
    "resnet14": 181_108,
    "resnet20": 278_324,
    "resnet32": 472_756,
    "resnet44": 667_188,
    "resnet56": 861_620,
    "resnet110": 1_736_564,
    "resnet8x4": 1_233_540,
    "resnet32x4": 7_433_860,
    "resnet50": 23_705_252,
    "wrn_16_1": 180_916,
    "wrn_16_2": 703_284,
    "wrn_40_1": 569_780,
    "wrn_40_2": 2_255_156,
    "vgg8": 3_965_028,
    "vgg11": 9_277_284,
    "vgg13": 9_462_180,
    "vgg16": 14_774_436,
    "vgg19": 20_086_692,
    "mobilenet_v2": 812_836,
    "shuffle_v1": 949_258,
    "shuffle_v2": 1_355_528,
}
# Millions with 10 classes: He et al., CVPR 2016, table 6; Zagoruyko & Komodakis, BMVC 2016, table 4
MILLIONS = {
    "resnet20": 0.27,
    "resnet32": 0.46,
    "resnet44": 0.66,
    "resnet56": 0.85,
    "resnet110": 1.7,
    "wrn_40_1": 0.6,
    "wrn_40_2": 2.2,
}
# (channels, height) of each stage of an image of 32 x 32
BASIC = [(16, 32), (32, 16), (64, 8)]
VGGS = [(128, 16), (256, 8), (512, 4), (512, 4)]
STAGES = {
    **{f"resnet{depth}": BASIC for depth in (8, 14, 20, 32, 44, 56, 110)},
    "resnet8x4": [(64, 32), (128, 16), (256, 8)],
    "resnet32x4": [(64, 32), (128, 16), (256, 8)],
    "resnet50": [(256, 32), (512, 16), (1024, 8), (2048, 4)],
    "wrn_16_1": BASIC,
    "wrn_40_1": BASIC,
    "wrn_16_2": [(32, 32), (64, 16), (128, 8)],
    "wrn_40_2": [(32, 32), (64, 16), (128, 8)],
    **{f"vgg{depth}": VGGS for depth in (8, 11, 13, 16, 19)},
    "mobilenet_v1": [(128, 8), (256, 4), (512, 2), (1024, 1)],
    "mobilenet_v2": [(12, 16), (16, 8), (48, 4), (160, 2)],
    "shuffle_v1": [(240, 16), (480, 8), (960, 4)],
    "shuffle_v2": [(116, 16), (232, 8), (464, 4)],
}
# What is not true of these: that the last stage is the map that is pooled
OTHER_LAST_MAP = {"mobilenet_v2", "shuffle_v2"}

everyone = pytest.mark.parametrize("name", sorted(PARTS))
# One of each kind, and small: for what does not depend on the size
KINDS = ["mobilenet_v1", "mobilenet_v2", "resnet8", "shuffle_v1", "shuffle_v2", "vgg8", "wrn_16_1"]
each_kind = pytest.mark.parametrize("name", KINDS)
BOTTLENECK = {"blocks": (1, 2), "widths": (4, 8), "stem": 4, "bottleneck": True}


def network(name: str, num_classes: int = 100) -> nn.Module:
    torch.manual_seed(0)
    return build(BACKBONES, dict(PARTS[name].config), num_classes=num_classes)


def images(batch: int, size: int = 32) -> Tensor:
    return torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(1))


def tapped(model: nn.Module, image: Tensor) -> Fields:
    with Taps(model, model.taps).reading() as out:
        out_logits = model(image)
    return Fields({**out, "logits": out_logits})


def count(name: str, num_classes: int) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in network(name, num_classes).parameters())


def test_every_part_is_in_the_tables() -> None:
    assert set(PARTS) == set(STAGES) == {*PUBLISHED, "mobilenet_v1"}


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_parameters_are_those_of_the_published_networks(name: str) -> None:
    assert count(name, 100) == PUBLISHED[name]


@pytest.mark.parametrize("name", sorted(MILLIONS))
def test_parameters_round_to_the_figures_of_the_papers(name: str) -> None:
    # Projections instead of zero padding are 2.8 k of a ResNet; the paper's figures are cut, not rounded.
    unit = 0.01 if MILLIONS[name] < 0.9 and name.startswith("resnet") else 0.1
    assert abs(count(name, 10) / 1e6 - MILLIONS[name]) < unit


def test_mobilenet_v1_has_the_published_parameters_on_imagenet() -> None:
    # Trainable parameters of Keras's MobileNet and of the table in osmr/imgclsmob; 4.2 million in the paper.
    assert count("mobilenet_v1", 1000) == 4_231_976


@everyone
def test_stages_have_the_published_grids(name: str) -> None:
    model = network(name).eval()
    with torch.no_grad():
        out = tapped(model, images(1))
    assert [tuple(stage.shape[1:]) for stage in out.stages] == [(c, s, s) for c, s in STAGES[name]]
    assert [p.shape for p in out.preacts] == [s.shape for s in out.stages]
    assert out.embedding.shape == (1, model.width) == (1, model.fc.in_features)
    assert out.logits.shape == (1, 100)


@each_kind
@pytest.mark.parametrize("size", [64, 48])
def test_other_image_sizes_and_odd_batches(name: str, size: int) -> None:
    out = tapped(network(name).train(), images(3, size))
    assert out.logits.shape == (3, 100)
    assert out.logits.isfinite().all()
    if size == 64 and name != "vgg8":
        assert [s.shape[-1] for s in out.stages] == [2 * size for _, size in STAGES[name]]


def test_vgg_pools_once_more_from_larger_images() -> None:
    model = network("vgg8").eval()
    grids = {
        size: [s.shape[-1] for s in tapped(model, images(1, size)).stages] for size in (32, 33, 40, 64, 96)
    }
    assert grids == {
        32: [16, 8, 4, 4],
        33: [16, 8, 4, 4],
        40: [20, 10, 5, 2],
        64: [32, 16, 8, 4],
        96: [48, 24, 12, 6],
    }


@each_kind
def test_preacts_are_the_stages_before_their_relu(name: str) -> None:
    out = tapped(network(name).train(), images(2))
    for stage, preact in zip(out.stages, out.preacts, strict=True):
        if name == "mobilenet_v2":  # linear bottlenecks
            assert stage is preact
            continue
        assert (preact < 0).any()
        active = preact.relu()
        torch.testing.assert_close(stage, shuffled(active, 2) if name == "shuffle_v2" else active)


@everyone
def test_the_embedding_is_the_mean_of_the_last_map(name: str) -> None:
    model = network(name).train()
    places = {**model.taps, "last": "act" if name in OTHER_LAST_MAP else model.taps["stages"][-1]}
    with torch.no_grad(), Taps(model, places).reading() as out:
        logits = model(images(2))
    pooled = torch.stack([out.last[b].flatten(1).sum(1) / out.last[b][0].numel() for b in range(2)])
    torch.testing.assert_close(out.embedding, pooled, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        logits, pooled @ model.fc.weight.T + model.fc.bias, rtol=1e-4, atol=1e-4 * logits.abs().max().item()
    )


@each_kind
def test_a_gradient_from_any_stage_reaches_the_stem_and_no_deeper_stage(name: str) -> None:
    model = network(name).train()
    first = next(model.parameters())
    depth = len(STAGES[name])
    for i in range(depth):
        out = tapped(model, images(3))
        coefficients = torch.randn(out.stages[i].shape, generator=torch.Generator().manual_seed(2))
        wanted = torch.autograd.grad(
            (out.stages[i] * coefficients).sum(), [first, *out.stages[i + 1 :]], allow_unused=True
        )
        assert wanted[0].isfinite().all()
        assert wanted[0].abs().max() > 0
        assert all(gradient is None for gradient in wanted[1:])


@each_kind
def test_the_layout_of_the_image_does_not_matter(name: str) -> None:
    model, image = network(name).eval(), images(2)
    other = image.contiguous(memory_format=torch.channels_last)
    assert torch.equal(model(image), model(other))
    shapes = {p.shape for p in model.parameters() if p.dim() == 4}
    assert all(p.is_contiguous(memory_format=torch.channels_last) for p in model.parameters() if p.dim() == 4)
    assert shapes


@pytest.mark.parametrize("name", ["resnet8x4", "wrn_16_2", "vgg8", "mobilenet_v1", "mobilenet_v2"])
def test_convolutions_start_at_the_published_deviation(name: str) -> None:
    model = network(name)
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and module.weight.numel() > 4000:
            wanted = math.sqrt(2 / (module.out_channels * module.kernel_size[0] ** 2))
            assert module.weight.std().item() == pytest.approx(wanted, rel=0.1)
            assert module.bias is None or not module.bias.any()
    if name in ("vgg8", "mobilenet_v2"):
        assert model.fc.weight.std().item() == pytest.approx(0.01, rel=0.1)
    if name in ("vgg8", "mobilenet_v2", "wrn_16_2"):
        assert not model.fc.bias.any()


def norm(x: Tensor, layer: nn.BatchNorm2d) -> Tensor:
    """Batch normalisation in training, written out."""
    mean, variance = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), unbiased=False, keepdim=True)
    scale, shift = (p[:, None, None] for p in (layer.weight, layer.bias))
    return (x - mean) / (variance + layer.eps).sqrt() * scale + shift


def conv(x: Tensor, layer: nn.Conv2d) -> Tensor:
    """The layer's convolution as a matrix product, group by group."""
    size, groups = layer.kernel_size[0], layer.groups
    height = (x.shape[2] - size + 2 * layer.padding[0]) // layer.stride[0] + 1
    made = []
    for channels, kernel in zip(x.chunk(groups, 1), layer.weight.chunk(groups, 0), strict=True):
        columns = F.unfold(channels, size, padding=layer.padding, stride=layer.stride)
        made.append(kernel.flatten(1) @ columns)
    out = torch.cat(made, 1).unflatten(2, (height, -1))
    return out if layer.bias is None else out + layer.bias[:, None, None]


def both(x: Tensor, pair: nn.Sequential) -> Tensor:
    return norm(conv(x, pair[0]), pair[1])


def shaken(model: nn.Module) -> nn.Module:
    """Scales and shifts of the normalisations away from 1 and 0, in double precision."""
    torch.manual_seed(3)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    return model.double().train()


def residual(x: Tensor, block: nn.Module) -> Tensor:
    inner = x
    for i, pair in enumerate(block.convs):
        inner = both(inner, pair)
        inner = inner.relu() if i < len(block.convs) - 1 else inner
    return (inner + (x if isinstance(block.shortcut, nn.Identity) else both(x, block.shortcut))).relu()


@pytest.mark.parametrize("config", [{"blocks": (2, 1, 1), "widths": (4, 8, 8), "stem": 6}, BOTTLENECK])
def test_resnet_equals_its_formula(config: dict) -> None:
    model, image = shaken(ResNet(5, **config)), images(3, 9).double()
    x = both(image, model.stem[0]).relu()
    for block in (block for stage in model.stages for block in stage):
        x = residual(x, block)
    torch.testing.assert_close(model(image), model.fc(x.mean((2, 3))))
    strides = [pair[0].stride[0] for s in model.stages for block in s for pair in block.convs]
    assert strides.count(2) == len(config["blocks"]) - 1


def test_wrn_equals_its_formula() -> None:
    model, image = shaken(WideResNet(5, depth=16, widen=1)), images(2, 8).double()
    x = conv(image, model.stem)
    for block in (block for stage in model.stages for block in stage):
        active = norm(x, block.norm1).relu()
        inner = conv(norm(conv(active, block.conv1), block.norm2).relu(), block.conv2)
        x = inner + (x if block.shortcut is None else conv(active, block.shortcut))
    torch.testing.assert_close(model(image), model.fc(norm(x, model.norm).relu().mean((2, 3))))


def test_shuffle_v1_equals_its_formula() -> None:
    model, image = shaken(ShuffleNetV1(5, blocks=(2, 1), widths=(48, 96))), images(2, 12).double()
    x = both(image, model.stem[0]).relu()
    for i, block in enumerate(block for stage in model.stages for block in stage):
        inner = both(x, block.conv1).relu()
        inner = inner if i == 0 else dealt(inner, 3)
        inner = both(both(inner, block.conv2).relu(), block.conv3)
        if block.stride == 2:
            # Padding counts in the mean, as in the published network.
            mean = F.unfold(x, 3, padding=1, stride=2).unflatten(1, (-1, 9)).mean(2)
            x = torch.cat((inner, mean.unflatten(2, inner.shape[2:])), 1).relu()
        else:
            x = (inner + x).relu()
    torch.testing.assert_close(model(image), model.fc(x.mean((2, 3))))


def test_the_half_that_a_split_block_passes_on_is_untouched() -> None:
    block, x = shaken(SplitBlock(8)), torch.rand(2, 8, 5, 5).double()
    left, right = x[:, :4], x[:, 4:]
    expand, _, depthwise, project = block.right
    right = both(both(both(right, expand).relu(), depthwise), project).relu()
    torch.testing.assert_close(block(x), dealt(torch.cat((left, right), 1), 2))


def test_an_inverted_residual_ends_without_relu() -> None:
    x = torch.randn(2, 4, 6, 6).double()
    for out_channels, stride in ((4, 1), (4, 2), (6, 1)):
        block = shaken(InvertedResidual(4, out_channels, stride, 3))
        expand, _, depthwise, _, project = block.convs
        inner = both(both(both(x, expand).relu(), depthwise).relu(), project)
        torch.testing.assert_close(block(x), inner + x if (out_channels, stride) == (4, 1) else inner)


def dealt(x: Tensor, groups: int) -> Tensor:
    """The channel shuffle, one channel at a time."""
    size = x.shape[1] // groups
    return torch.stack([x[:, group * size + i] for i in range(size) for group in range(groups)], 1)


@given(groups=st.integers(1, 5), size=st.integers(1, 6), batch=st.integers(1, 3))
@settings(max_examples=20, deadline=None)
def test_channels_are_dealt_out(groups: int, size: int, batch: int) -> None:
    x = torch.arange(batch * groups * size * 6.0).reshape(batch, groups * size, 2, 3)
    assert torch.equal(shuffled(x, groups), dealt(x, groups))


def test_the_tables_taps_of_a_wrn_are_the_sums() -> None:
    model, places = network("wrn_16_1").eval(), ["stages.0", "stages.1", "stages.2"]
    with Taps(model, {"stages": places, "preacts": model.taps["preacts"]}).reading() as out:
        model(images(2))
    norms = (model.stages[1][0].norm1, model.stages[2][0].norm1, model.norm)
    for place, layer, preact in zip(out.stages, norms, out.preacts, strict=True):
        torch.testing.assert_close(layer(place), preact)


def test_a_stem_without_stride_doubles_mobilenet_v1s_maps() -> None:
    model = MobileNetV1(10, width=0.25, stem_stride=1).eval()
    assert [s.shape[1:] for s in tapped(model, images(1)).stages] == [
        (32, 16, 16),
        (64, 8, 8),
        (128, 4, 4),
        (256, 2, 2),
    ]


@pytest.mark.parametrize("depth", [4, 8, 17, 41])
def test_a_depth_that_no_wrn_has_is_refused(depth: int) -> None:
    with pytest.raises(ValueError, match=f"depth {depth} is asked; there is: 10, 16, 22"):
        WideResNet(10, depth=depth)
