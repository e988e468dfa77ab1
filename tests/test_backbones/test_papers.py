"""Parts at the papers' sizes: parameters by the descriptions, a step at 224 x 224, weights with timm's names."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from kdbench.backbones import ENCODERS, FrameResNet, FrameViT
from kdbench.compose import parts
from kdbench.engine.lineage import weight_files
from kdbench.losses import ActionSelection, TwoWay
from kdbench.models import Distillation
from kdbench.registry import BACKBONES, build
from kdbench.spec import MULTI_LABEL, MissingWeightsError
from kdbench.weights import read_weights

CONFIGS = Path(__file__).parents[2] / "configs"
PARTS = {
    name: part.config
    for name, part in parts(CONFIGS, "models").items()
    if re.fullmatch("multi.*_paper", part.path.stem)  # those of skeletons: test_graph_networks.py
}
CLASSES = 16
RGB = {"vit": 22_493_952, "r18": 11_176_512, "r34": 21_284_672}  # published, less their classifiers
RESNET_WIDTH = 512
VIEWS, FRAMES = 2, 2


def linear(before: int, after: int, bias: bool = True) -> int:
    return before * after + bias * after


def audio(width: int) -> int:
    """1024 x 128 to 512, 256, 128 and the width."""
    return linear(1024 * 128, 512) + linear(512, 256) + linear(256, 128) + linear(128, width)


def block(d: int, inner: int, bias: bool) -> int:
    """Two norms, attention whose heads are ``inner`` wide together, a feed-forward part four times as wide."""
    return 4 * d + linear(d, 3 * inner, bias) + linear(inner, d) + linear(d, 4 * d) + linear(4 * d, d)


def multiasl(d: int) -> int:
    """A class token, one layer of 4 heads of 128 without biases, a norm; two classifiers and two actionness heads."""
    body = d + block(d, 4 * 128, bias=False) + 2 * d
    return body + linear(d, CLASSES) + linear(2 * d, CLASSES) + 2 * linear(d, 1)


def multitsf(d: int) -> int:
    """A class token, two layers, a norm; the head of frames; attention and 256 units across views; norm, head."""
    body = d + 2 * block(d, d, bias=True) + 2 * d
    views = linear(d, 3 * d) + linear(d, d) + linear(d, 256) + linear(256, d) + 4 * d
    return body + linear(d, CLASSES) + views + 2 * d + linear(d, CLASSES)


def multitrans(d: int) -> int:
    """Two layers over all frames of all views, a norm, a classifier (a re-implementation)."""
    return 2 * block(d, d, bias=True) + 2 * d + linear(d, CLASSES)


def cross_attention(d: int) -> int:
    """Queries, keys, values, the way out, a norm."""
    return linear(d, d) + linear(d, 2 * d) + linear(d, d) + 2 * d


def adapter(d: int) -> int:
    """To a quarter and back, a norm."""
    return linear(d, d // 4) + linear(d // 4, d) + 2 * d


FAMILIES: dict[str, Callable[[int], int]] = {"asl": multiasl, "tsf": multitsf, "trans": multitrans}


def described(name: str) -> int:
    """The number of parameters that the papers' descriptions give."""
    family, encoder, senses = name.split("_")
    is_resnet = encoder.startswith("r")
    d = RESNET_WIDTH if is_resnet and family != "tsf" else 384
    streams = 2 if senses in ("av", "vh") else 1
    total = FAMILIES[family](streams * d)
    if "v" in senses:
        total += RGB[encoder]
        total += linear(d, 1) if family == "tsf" else 0  # the human head
        total += linear(RESNET_WIDTH, d) if is_resnet and d != RESNET_WIDTH else 0
    if "a" in senses:
        total += audio(d)
    if senses == "vh":
        total += adapter(d)
    return total + {"av": 2, "vh": 1}.get(senses, 0) * cross_attention(d)


def test_every_family_has_its_variants() -> None:
    variants = {f"{encoder}_{senses}" for encoder in RGB for senses in ("av", "v", "vh")} | {"mlp_a"}
    assert {*PARTS} == {f"{family}_{variant}" for family in FAMILIES for variant in variants}


@pytest.mark.parametrize("name", sorted(PARTS))
def test_parameters_are_as_the_papers_describe(name: str) -> None:
    with torch.device("meta"):
        network = build(BACKBONES, PARTS[name], num_classes=CLASSES)
    assert sum(p.numel() for p in network.parameters()) == described(name)


@pytest.mark.parametrize("name", sorted(PARTS))
def test_frame_encoders_start_from_a_file_that_can_be_had(name: str) -> None:
    files = [*weight_files(PARTS[name])]
    assert len(files) == name.count("_") - 1 - name.endswith("_a")
    for file in files:
        page = f"https://huggingface.co/timm/{Path(file).stem}/resolve/main/model.safetensors"
        with pytest.raises(MissingWeightsError, match=re.escape(f"{file}; download {page} and save it so")):
            read_weights(Path("/nowhere") / file)


@pytest.mark.slow
@pytest.mark.parametrize(("family", "loss"), [("asl", ActionSelection), ("tsf", TwoWay), ("trans", TwoWay)])
@pytest.mark.parametrize("encoder", ["vit", "r18"])
def test_a_step_at_the_papers_picture_size(family: str, loss: type[nn.Module], encoder: str) -> None:
    torch.manual_seed(0)
    shapes = {"rgb": (VIEWS, FRAMES, 3, 224, 224), "audio": (VIEWS, FRAMES, 1024, 128)}
    fields = {"target": (CLASSES,), "visible": (VIEWS, FRAMES)}
    data = dict(name="few frames", inputs=shapes, num_classes=CLASSES, task=MULTI_LABEL, fields=fields)
    model = Distillation(
        data=data,
        teacher=dict(PARTS[f"{family}_{encoder}_av"]),
        student=dict(PARTS[f"{family}_{encoder}_vh"]),
        distiller=dict(type="ViCoKD"),
        task_loss=dict(type=loss),
        load_weights=False,
    ).train()
    inputs = {name: torch.rand(1, *shape) for name, shape in shapes.items()}
    losses = model(inputs, mode="loss", target=torch.eye(CLASSES)[:1], visible=torch.ones(1, VIEWS, FRAMES))
    assert {"loss_task", "loss_feature", "loss_logit", "loss_consistency"} <= {*losses}
    sum(losses.values()).backward()
    read = [p for name, p in model.student.named_parameters() if not name.startswith(("human", "body.token"))]
    assert all(p.grad is not None and p.grad.isfinite().all() for p in read)
    assert sum(float(p.grad.abs().sum()) for p in model.student.encoders.parameters()) > 0


def vit_shapes(width: int, layers: int, patch: int, patches: int, classes: int) -> dict[str, tuple[int, ...]]:
    """The tensors of timm's VisionTransformer."""
    shapes: dict[str, tuple[int, ...]] = {
        "cls_token": (1, 1, width),
        "pos_embed": (1, 1 + patches, width),
        "patch_embed.proj.weight": (width, 3, patch, patch),
        "patch_embed.proj.bias": (width,),
    }
    sizes = {
        "norm1": (),
        "attn.qkv": (3, 1),
        "attn.proj": (1, 1),
        "norm2": (),
        "mlp.fc1": (4, 1),
        "mlp.fc2": (1, 4),
    }
    for layer, (place, size) in ((i, s) for i in range(layers) for s in sizes.items()):
        weight = tuple(factor * width for factor in size) or (width,)
        shapes |= {f"blocks.{layer}.{place}.weight": weight, f"blocks.{layer}.{place}.bias": weight[:1]}
    shapes |= {"norm.weight": (width,), "norm.bias": (width,)}
    return shapes | {"head.weight": (classes, width), "head.bias": (classes,)}


def vit(state: dict[str, Tensor], picture: Tensor, heads: int) -> Tensor:
    """The class token of pictures ``(B, 3, H, W)`` by the definition, from timm's names."""
    weights = {name.rsplit(".", 1)[0] for name in state if "." in name}
    of = {name: (state[f"{name}.weight"], state[f"{name}.bias"]) for name in weights}
    width = state["cls_token"].shape[-1]
    patch = state["patch_embed.proj.weight"].shape[-1]
    patches = F.conv2d(picture, *of["patch_embed.proj"], stride=patch).flatten(2).transpose(1, 2)
    x = torch.cat((state["cls_token"].expand(len(picture), -1, -1), patches), 1) + state["pos_embed"]
    for layer in range(len({name.split(".")[1] for name in state if name.startswith("blocks.")})):
        inner, place = x, f"blocks.{layer}"
        inner = F.layer_norm(inner, (width,), *of[f"{place}.norm1"], eps=1e-6)
        mixed = F.linear(inner, *of[f"{place}.attn.qkv"]).reshape(*inner.shape[:2], 3, heads, width // heads)
        attended = F.scaled_dot_product_attention(*mixed.permute(2, 0, 3, 1, 4))
        x = x + F.linear(attended.transpose(1, 2).flatten(2), *of[f"{place}.attn.proj"])
        inner = F.layer_norm(x, (width,), *of[f"{place}.norm2"], eps=1e-6)
        x = x + F.linear(F.gelu(F.linear(inner, *of[f"{place}.mlp.fc1"])), *of[f"{place}.mlp.fc2"])
    return F.layer_norm(x, (width,), *of["norm"], eps=1e-6)[:, 0]


def resnet_shapes(channels: int, blocks: tuple[int, ...], classes: int) -> dict[str, tuple[int, ...]]:
    """The tensors of timm's (and torchvision's) ResNet of basic blocks."""
    convs, before = {"conv1": (channels, 3, 7, 7)}, channels
    for stage, count in enumerate(blocks):
        after = channels * 2**stage
        for number in range(count):
            place = f"layer{stage + 1}.{number}"
            convs |= {f"{place}.conv1": (after, before, 3, 3), f"{place}.conv2": (after, after, 3, 3)}
            if stage and not number:
                convs[f"{place}.downsample.0"] = (after, before, 1, 1)
            before = after
    shapes: dict[str, tuple[int, ...]] = {}
    for name, shape in convs.items():
        norm = name.replace("conv", "bn").replace("downsample.0", "downsample.1")
        shapes[f"{name}.weight"] = shape
        shapes |= {f"{norm}.{what}": shape[:1] for what in ("weight", "bias", "running_mean", "running_var")}
        shapes[f"{norm}.num_batches_tracked"] = ()
    return shapes | {"fc.weight": (classes, before), "fc.bias": (classes,)}


def resnet(state: dict[str, Tensor], picture: Tensor) -> Tensor:
    """The mean of the last map of pictures ``(B, 3, H, W)`` by the definition, from timm's names."""

    def conv(x: Tensor, name: str, norm: str, stride: int = 1, padding: int = 1) -> Tensor:
        x = F.conv2d(x, state[f"{name}.weight"], None, stride, padding)
        mean, var = (state[f"{norm}.running_{what}"] for what in ("mean", "var"))
        return F.batch_norm(x, mean, var, state[f"{norm}.weight"], state[f"{norm}.bias"])

    x = F.max_pool2d(F.relu(conv(picture, "conv1", "bn1", 2, 3)), 3, 2, 1)
    for place in dict.fromkeys(".".join(name.split(".")[:2]) for name in state if name.startswith("layer")):
        stride = 2 if f"{place}.downsample.0.weight" in state else 1
        inner = F.relu(conv(x, f"{place}.conv1", f"{place}.bn1", stride))
        inner = conv(inner, f"{place}.conv2", f"{place}.bn2")
        if stride == 2:
            x = conv(x, f"{place}.downsample.0", f"{place}.downsample.1", stride, 0)
        x = F.relu(inner + x)
    return x.mean((2, 3))


def drawn(shapes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Random tensors; variances are positive."""
    rng = torch.Generator().manual_seed(0)
    state = {name: 0.3 * torch.randn(shape, generator=rng) for name, shape in shapes.items()}
    return {
        name: torch.tensor(7) if name.endswith("tracked") else x.abs() + 0.5 if name.endswith("var") else x
        for name, x in state.items()
    }


SMALL: dict[str, tuple[dict[str, Any], dict[str, tuple[int, ...]], Callable[..., Tensor]]] = {
    "vit": (
        dict(type=FrameViT, image_size=(32, 16), patch=8, width=24, layers=2, heads=3),
        vit_shapes(24, 2, 8, 8, 10),
        lambda state, picture: vit(state, picture, heads=3),
    ),
    "resnet": (dict(type=FrameResNet, depth=18, channels=4), resnet_shapes(4, (2, 2, 2, 2), 10), resnet),
    "resnet34": (dict(type=FrameResNet, depth=34, channels=4), resnet_shapes(4, (3, 4, 6, 3), 10), resnet),
}
small = pytest.mark.parametrize("kind", SMALL)


def saved(state: dict[str, Tensor], folder: Path) -> str:
    file = folder / "timm" / "model.safetensors"
    file.parent.mkdir(exist_ok=True)
    save_file(state, file)
    return str(file)


@small
def test_a_file_with_timm_s_names_gives_what_timm_s_network_gives(kind: str, tmp_path: Path) -> None:
    config, shapes, definition = SMALL[kind]
    state = drawn(shapes)
    encoder = build(ENCODERS, {**config, "weights": saved(state, tmp_path)}).eval()
    video = torch.rand(2, 3, 3, 32, 16)
    before = encoder(video)
    encoder.load_own_weights()
    expected = definition(state, video.flatten(0, 1)).unflatten(0, (2, 3))
    torch.testing.assert_close(encoder(video), expected, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(before, expected, atol=1e-3)


@small
@pytest.mark.parametrize("spoil", ["missing", "strange", "shape"])
def test_a_file_that_does_not_fit_is_refused(kind: str, spoil: str, tmp_path: Path) -> None:
    config, shapes, _ = SMALL[kind]
    state = drawn(shapes)
    name = next(iter(state))
    value = state.pop(name)
    if spoil == "strange":
        state |= {name: value, "norm_pre.weight": torch.ones(3)}
    if spoil == "shape":
        state[name] = torch.zeros(*value.shape[:-1], value.shape[-1] + 1)
    with pytest.raises(MissingWeightsError, match=f"does not fit {config['type'].__name__}"):
        build(ENCODERS, {**config, "weights": saved(state, tmp_path)}).load_own_weights()


def test_published_vit_has_these_names_and_shapes() -> None:
    shapes = vit_shapes(384, 12, 32, 49, 1000)
    numbers = sum(torch.Size(shape).numel() for shape in shapes.values())
    assert (len(shapes), numbers) == (152, 22_878_952)
    with torch.device("meta"):
        own = {tuple(x.shape) for x in FrameViT().state_dict().values()}
    read = {
        tuple(n for n in shape if n != 1) for name, shape in shapes.items() if not name.startswith("head")
    }
    assert read == own


TINY = dict(hops=4, bins=8, widths=(6,), width=24, type="SpectrogramMLP")


def pair(file: str, **teacher: Any) -> Distillation:
    """Two MultiASL whose frame encoders name a file; ``teacher`` has further settings of the second."""
    encoders = dict(rgb={**SMALL["vit"][0], "weights": file}, audio=TINY)
    network = dict(type="MultiASL", encoders=encoders, width=24, head_width=4)
    inputs = dict(rgb=(2, 8, 3, 32, 16), audio=(2, 8, 4, 8))
    return Distillation(
        data=dict(name="small", inputs=inputs, num_classes=4, task=MULTI_LABEL, fields=dict(target=(4,))),
        student=network,
        teacher=dict(network, **teacher),
        distiller=dict(type="KD"),
    )


def test_a_student_starts_from_its_encoder_s_file_and_a_teacher_from_its_own(tmp_path: Path) -> None:
    state = drawn(SMALL["vit"][1])
    file, whole = saved(state, tmp_path), tmp_path / "student.safetensors"
    student = pair(file, weights="random").student
    assert torch.equal(student.encoders["rgb"].places, state["pos_embed"][0])
    student.encoders["rgb"].places.data += 1
    save_file(student.state_dict(), whole)
    trained = pair(file, weights=str(whole))
    assert torch.equal(trained.teacher.encoders["rgb"].places, state["pos_embed"][0] + 1)
    assert torch.equal(trained.student.encoders["rgb"].places, state["pos_embed"][0])


def test_an_encoder_s_file_does_not_make_a_teacher(tmp_path: Path) -> None:
    file = saved(drawn(SMALL["vit"][1]), tmp_path)
    assert not torch.equal(*(pair(file, weights="random").teacher.encoders["rgb"].places for _ in range(2)))
    with pytest.raises(MissingWeightsError, match="the teacher MultiASL has no weights"):
        pair(file)


def test_only_files_that_are_read_are_asked_for() -> None:
    encoders = dict(rgb=dict(weights="frames"))
    assert [*weight_files(dict(student=dict(encoders=encoders)))] == ["frames"]
    whole = dict(teacher=dict(encoders=encoders, weights="whole"), student=dict(encoders=encoders))
    assert [*weight_files(whole)] == ["whole", "frames"]
    assert [*weight_files(dict(teacher=dict(encoders=encoders, weights="random")))] == []
