"""What every part of ``configs/_base_/models`` and every registered backbone keeps to."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from kdbench import backbones
from kdbench.backbones import ENCODERS, MultiView, Sensing, ViewStudents
from kdbench.compose.parts import parts
from kdbench.registry import BACKBONES, build
from kdbench.taps import Taps

CLASSES = 7
SHAPES = {
    "single": {
        "skeleton": (48, 20, 3),
        "inertial": (128, 6),
        "depth": (8, 2, 64, 48),
        "rgb": (6, 3, 64, 64),
        "audio": (6, 5, 32),
        "image": (3, 32, 32),
    },
    "views": {
        "rgb": (3, 6, 3, 32, 32),
        "audio": (3, 6, 5, 32),
        "depth": (3, 6, 1, 48, 36),
        "inertial": (6, 24, 6),  # worn: one for all views
    },
}
PARTS = {
    name: part
    for name, part in parts(Path(__file__).parents[2] / "configs", "models").items()
    # See test_papers.py and test_graph_networks.py; test_external_packages.py.
    if not part.path.stem.endswith(("_paper", "external"))
}
# Parameters with 27 classes; a change of architecture shows here, and makes old weights useless.
PARAMETERS = {
    "agcn_small": 343_635,
    "asl_a": 95_210,
    "asl_av": 307_914,
    "asl_d": 384_920,
    "asl_d_start": 384_920,
    "asl_d_start_d": 384_920,
    "asl_dh": 694_544,
    "asl_dh_start": 694_544,
    "asl_di": 839_112,
    "asl_v": 113_688,
    "asl_vh": 253_544,
    "audio_attention": 328_461,
    "audio_cnn": 277_517,
    "ctrgcn_kinect": 1_431_261,
    "ctrgcn_small": 142_504,
    "ctrgcn_small_ntu": 146_059,
    "ctrgcn_small_utd": 142_504,
    "depth_attention": 431_419,
    "depth_cnn": 380_475,
    "depth_cnn_peers": 760_950,
    "depth_cnn_small": 88_171,
    "depth_cnn_small_peers": 176_342,
    "depth_ridge": 120_987,
    "depth_view_students": 1_067_697,
    "depth_view_students_shared": 355_899,
    "early_d": 625_915,
    "early_d_start": 625_915,
    "early_d_start_d": 625_915,
    "early_di": 750_251,
    "four_nets": 2_732_932,
    "hog_ridge": 50_247,
    "inertial_cnn": 298_027,
    "inertial_cnn_peers": 596_054,
    "inertial_cnn_w12": 20_971,
    "inertial_cnn_w6": 6_043,
    "inertial_inertial_streams": 607_718,
    "inertial_ridge": 20_763,
    "inertial_transformer": 309_931,
    "late_fusion": 1_121_422,
    "mobilenet_v1": 3_234_651,
    "mobilenet_v2": 719_323,
    "peers": 829_438,
    "posec3d_small": 48_171,
    "resnet110": 1_731_819,
    "resnet14": 176_363,
    "resnet20": 273_579,
    "resnet20_resnet14": 449_942,
    "resnet32": 468_011,
    "resnet32x4": 7_415_099,
    "resnet44": 662_443,
    "resnet50": 23_555_675,
    "resnet56": 856_875,
    "resnet8": 79_147,
    "resnet8_peers": 158_294,
    "resnet8x4": 1_214_779,
    "rgb_attention": 464_475,
    "rgb_cnn": 413_531,
    "rgb_cnn_112": 683_867,
    "rgb_view_students": 2_051_601,
    "rgb_view_students_shared": 683_867,
    "shuffle_v1": 879_105,
    "shuffle_v2": 1_280_703,
    "skeleton_cnn": 823_395,
    "skeleton_cnn_bone": 811_635,
    "skeleton_cnn_joint": 811_635,
    "skeleton_cnn_kinect": 823_395,
    "skeleton_cnn_kinect_bone": 811_635,
    "skeleton_cnn_kinect_bone_motion": 811_635,
    "skeleton_cnn_kinect_joint": 811_635,
    "skeleton_cnn_kinect_motion": 811_635,
    "skeleton_cnn_kinect_small": 25_315,
    "skeleton_cnn_kinect_small_view_students": 50_630,
    "skeleton_cnn_kinect_streams": 3_246_540,
    "skeleton_cnn_motion": 811_635,
    "skeleton_cnn_smooth": 823_395,
    "skeleton_inertial_streams": 1_144_606,
    "skeleton_ridge": 90_747,
    "skeleton_stream": 823_395,
    "stgcn": 153_683,
    "stgcn_kinect": 153_683,
    "stgcn_small": 308_963,
    "stgcn_small_bone": 308_963,
    "stgcn_small_bone_motion": 308_963,
    "stgcn_small_motion": 308_963,
    "stgcn_small_streams": 1_235_852,
    "stgcnpp_small": 144_595,
    "stgcnpp_small_bone": 144_595,
    "stgcnpp_small_bone_motion": 144_595,
    "stgcnpp_small_motion": 144_595,
    "stgcnpp_small_ntu": 148_000,
    "stgcnpp_small_streams": 578_380,
    "stgcnpp_small_view_students": 289_190,
    "three_stream": 2_434_905,
    "token_fusion": 1_415_571,
    "trans_a": 141_709,
    "trans_av": 532_013,
    "trans_d": 491_547,
    "trans_d_start": 491_547,
    "trans_dh": 1_202_739,
    "trans_dh_start": 1_202_739,
    "trans_di": 1_347_307,
    "trans_v": 160_187,
    "trans_vh": 477_643,
    "tsf_a": 168_872,
    "tsf_av": 619_081,
    "tsf_d": 550_710,
    "tsf_d_start": 550_710,
    "tsf_dh": 1_394_670,
    "tsf_dh_start": 1_394_670,
    "tsf_di": 1_539_238,
    "tsf_v": 187_415,
    "tsf_vh": 564_711,
    "tsmf_depth": 330_055,
    "vgg11": 9_239_835,
    "vgg13": 9_424_731,
    "vgg16": 14_736_987,
    "vgg19": 20_049_243,
    "vgg8": 3_927_579,
    "view_a": 175_117,
    "view_av": 285_517,
    "view_students": 18_129,
    "view_v": 212_827,
    "view_v_attention": 221_148,
    "view_v_small": 58_247,
    "views_ridge": 41_499,
    "wrn_16_1": 176_171,
    "wrn_16_2": 693_867,
    "wrn_40_1": 565_035,
    "wrn_40_2": 2_245_739,
}
CONFIGS: dict[str, dict[str, Any]] = {
    **{name: {k: v for k, v in part.config.items() if k != "start"} for name, part in PARTS.items()},
    "peers": {"type": "Peers", "networks": [{"type": "InertialCNN", "width": 6}, {"type": "SkeletonCNN"}]},
    "view_students": {"type": "ViewStudents", "network": {"type": "InertialCNN", "width": 6}, "views": 3},
}


def model(name: str, num_classes: int = CLASSES) -> nn.Module:
    torch.manual_seed(0)
    return build(BACKBONES, CONFIGS[name], num_classes=num_classes)


def inputs(network: nn.Module, batch: int = 2) -> list[Tensor]:
    torch.manual_seed(1)
    has_views = isinstance(network, MultiView | Sensing) or getattr(network, "name", "") == "views"
    shapes = SHAPES["views" if has_views else "single"]
    if isinstance(network, ViewStudents):
        shapes = {
            "inertial": (network.views, 128, 6),
            "depth": (network.views, 8, 2, 48, 48),
            "rgb": (network.views, 4, 3, 112, 112),
            "view_skeleton": (network.views, 48, 20, 3),
            "view_shown": (network.views,),
        }
    if getattr(network, "persons", 1) > 1:
        shapes = {"skeleton": (network.persons, 48, len(network.input.parents), 3)}
    return [torch.rand(batch, *shapes[name]) for name in network.reads]


def total(output: Tensor | dict[str, Tensor]) -> Tensor:
    """One number that depends on all that a network gives."""
    outputs = [output] if isinstance(output, Tensor) else output.values()
    return sum(value.float().square().sum() for value in outputs if value.is_floating_point())


def logits_of(output: Tensor | dict[str, Tensor]) -> Tensor:
    return output if isinstance(output, Tensor) else output["logits"]


def before_selection(output: Tensor | dict[str, Tensor]) -> Tensor:
    """The logits; those of all frames where a choice of frames, which may flip, comes between."""
    selects = isinstance(output, dict) and "best_frames" in output
    return output["frame_logits"] if selects else logits_of(output)


FIXED = {"tsmf_depth": "guide."}  # what a network never trains, by the beginning of its names


def trained(network: nn.Module) -> list[nn.Parameter]:
    """What gets gradients; ``test_every_parameter_gets_a_finite_gradient`` holds the rest to ``FIXED``."""
    return [parameter for parameter in network.parameters() if parameter.requires_grad]


# Larger sizes and other streams of networks that are here in one size and stream: in the slow pass.
KIN = re.compile(
    r"vgg1[1369]|resnet(32x4|44|50|56|110)$|ctrgcn_kinect|\w+_(bone|motion|start|small_streams)$"
)


everyone = pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow) if KIN.match(name) else name for name in sorted(CONFIGS)],
)


def test_every_backbone_stands_here() -> None:
    with torch.device("meta"):
        built = {type(model(name)).__name__ for name in CONFIGS}
    assert built == {n for n in backbones.__all__ if n in BACKBONES.module_dict} - {"External"}
    assert set(PARAMETERS) == set(CONFIGS)


@everyone
def test_parameters_are_as_recorded(name: str) -> None:
    with torch.device("meta"):
        assert sum(p.numel() for p in model(name, 27).parameters()) == PARAMETERS[name]


@everyone
def test_every_parameter_gets_a_finite_gradient(name: str) -> None:
    network = model(name)
    output = network(*inputs(network))
    assert logits_of(output).shape == (2, CLASSES)
    total(output).backward()
    for key, parameter in network.named_parameters():
        assert parameter.requires_grad != key.startswith(FIXED.get(name, "nothing")), key
        assert (parameter.grad is not None) == parameter.requires_grad, f"{key} has no gradient"
        assert parameter.grad is None or parameter.grad.isfinite().all(), key


@everyone
@pytest.mark.parametrize("training", [True, False])
def test_taps_exist_and_are_not_overwritten(name: str, training: bool) -> None:
    network = model(name).train(training)
    taps = Taps(network, network.taps)
    with taps.reading() as out:
        network(*inputs(network))
    assert set(out) == set(network.taps)
    for value in out.values():
        for tensor in value if isinstance(value, list) else [value]:
            assert tensor.isfinite().all()
    if "embedding" in out:
        assert out.embedding.shape[0] == 2
        assert out.embedding.ndim == 2


@everyone
def test_one_seed_one_result(name: str) -> None:
    first, second = model(name), model(name)
    values = inputs(first)

    def outcome(network: nn.Module) -> Tensor:
        torch.manual_seed(2)
        return logits_of(network(*values))

    assert torch.equal(outcome(first), outcome(second))


@everyone
def test_bf16_autocast_is_close(name: str) -> None:
    network = model(name).eval()
    values = inputs(network)
    exact = before_selection(network(*values))
    with torch.autocast("cpu", torch.bfloat16):
        rough = before_selection(network(*values))
    assert (rough.float() - exact).abs().max() < 0.1 * exact.abs().max().clamp(min=0.1)


@everyone
def test_no_strided_pointwise_convolution_of_few_channels_is_left_to_onednn(name: str) -> None:
    for place, conv in model(name).named_modules():
        if type(conv) in (nn.Conv1d, nn.Conv2d, nn.Conv3d) and conv.in_channels // conv.groups < 8:
            assert max(conv.kernel_size) > 1 or max(conv.stride) == 1, f"{place}: see backbones/pointwise.py"


@pytest.mark.slow  # a minute, where the processor has no bfloat16
@everyone
def test_bf16_gradients_are_finite(name: str) -> None:
    network = model(name)
    with torch.autocast("cpu", torch.bfloat16):
        loss = total(network(*inputs(network)))
    loss.backward()
    assert all(p.grad.isfinite().all() for p in trained(network))


@everyone
def test_clips_of_a_batch_do_not_mix(name: str) -> None:
    network = model(name).eval()
    values = inputs(network, batch=3)
    whole = logits_of(network(*values))
    one = logits_of(network(*(value[1:2] for value in values)))
    torch.testing.assert_close(one, whole[1:2], rtol=1e-4, atol=1e-5)


@everyone
def test_zeros_are_no_trouble(name: str) -> None:
    network = model(name)
    output = total(network(*(torch.zeros_like(value) for value in inputs(network))))
    output.backward()
    assert output.isfinite()
    # Rendered depth of zeros shows nobody: its encoder is not asked.
    assert all(p.grad is None or p.grad.isfinite().all() for p in network.parameters())


@everyone
def test_state_round_trip(name: str) -> None:
    network, other = model(name), model(name)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(1)
    other.load_state_dict(network.state_dict())
    values = inputs(network)
    assert torch.equal(logits_of(network.eval()(*values)), logits_of(other.eval()(*values)))


@pytest.mark.parametrize("encoder", ["FrameCNN", "SpectrogramCNN"])
def test_encoders_say_their_width(encoder: str) -> None:
    config = {"type": encoder, "width": 24, **({"in_channels": 3} if encoder == "FrameCNN" else {})}
    shape = SHAPES["single"]["rgb" if encoder == "FrameCNN" else "audio"]
    network = build(ENCODERS, config)
    assert network(torch.rand(2, *shape)).shape == (2, shape[0], network.width)
