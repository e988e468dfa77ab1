"""MultiASL, MultiTSF and MultiTrans: outputs, views, masks, modalities, the adapter."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from kdbench.backbones import MultiASL, MultiTrans, MultiTSF, Sensing
from kdbench.backbones.multitsf import ViewInteraction
from kdbench.backbones.selection import best_frames, selected_logits
from kdbench.backbones.sensing import Adapter, CrossModal
from kdbench.backbones.view_fusion import FUSIONS, ViewHead, fuse_views
from kdbench.taps import Taps

ENCODERS = {
    "rgb": {"type": "FrameCNN", "in_channels": 3, "width": 16, "widths": (8, 8, 8), "grid": (2, 2)},
    "audio": {"type": "SpectrogramCNN", "width": 8},
}
SIZES: dict[type[Sensing], dict[str, Any]] = {
    MultiASL: {"head_width": 8},
    MultiTSF: {"heads": 4, "view_hidden": 16},
    MultiTrans: {},
}
CLASSES, VIEWS, FRAMES = 5, 3, 9
SYMMETRIC = [fusion for fusion in FUSIONS if fusion != "concat"]
families = pytest.mark.parametrize("family", SIZES)
fusions = pytest.mark.parametrize("fusion", FUSIONS)


def network(family: type[Sensing], fusion: str = "max", **options: Any) -> nn.Module:
    torch.manual_seed(0)
    views = {"num_views": VIEWS} if fusion == "concat" else {}
    return family(CLASSES, ENCODERS, fusion=fusion, width=16, **SIZES[family], **{**views, **options}).eval()


def clips(batch: int = 2, views: int = VIEWS, frames: int = FRAMES) -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    return torch.rand(batch, views, frames, 3, 32, 32), torch.randn(batch, views, frames, 8, 32)


def close(first: Tensor, second: Tensor) -> None:
    torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-5)


@families
@fusions
@pytest.mark.parametrize("options", [{}, {"cross_modal": True}, {"modalities": ("rgb",)}])
def test_outputs_have_their_shapes(family: type[Sensing], fusion: str, options: dict[str, Any]) -> None:
    model = network(family, fusion, **options)
    output = model(*clips()[: len(model.reads)])
    width, wide = 16 * len(model.reads), VIEWS if fusion == "concat" and family is not MultiASL else 1
    expected = {
        "logits": (2, CLASSES),
        "view_logits": (2, VIEWS, CLASSES),
        "frame_logits": (2, FRAMES, CLASSES),
        "view_frame_logits": (2, VIEWS, FRAMES, CLASSES),
        "features": (2, VIEWS, FRAMES, width),
        "fused": (2, FRAMES, width * (2 if family is MultiASL else wide)),
        **{f"{name}_features": (2, VIEWS, FRAMES, 16) for name in model.reads},
    }
    more = {
        MultiASL: {
            "token_logits": (2, CLASSES),
            "best_frames": (2, FRAMES, CLASSES),
            "actionness_spatial": (2, FRAMES),
            "actionness_temporal": (2, FRAMES),
        },
        MultiTSF: {"human_logits": (2, VIEWS, FRAMES)},
        MultiTrans: {},
    }
    assert {name: tuple(value.shape) for name, value in output.items()} == expected | more[family]


@families
@pytest.mark.parametrize(("modalities", "taken"), [(("rgb",), 0), (("audio",), 1)])
def test_one_modality_runs_without_the_other_and_its_parameters(
    family: type[Sensing], modalities: tuple[str, ...], taken: int
) -> None:
    model = network(family, modalities=modalities)
    assert model.reads == modalities
    assert set(model.encoders) == set(modalities)
    output = model(clips()[taken])
    assert output["logits"].shape == (2, CLASSES)
    assert ("human_logits" in output) == (family is MultiTSF and modalities == ("rgb",))


@families
def test_a_student_without_sound_guesses_it(family: type[Sensing]) -> None:
    teacher = network(family, cross_modal=True)
    student = network(family, modalities=("rgb",), hallucinate="audio", cross_modal=True).train()
    (heard, guessed) = teacher(*clips()), student(clips()[0])
    assert student.reads == ("rgb",)
    assert guessed["hallucinated"].shape == heard["audio_features"].shape
    assert guessed["features"].shape == heard["features"].shape
    assert guessed["fused"].shape == heard["fused"].shape
    (guessed["hallucinated"] - heard["audio_features"].detach()).square().mean().backward()
    assert student.adapter is not None
    for part in (student.adapter, student.encoders["rgb"]):
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in part.parameters())


@families
def test_the_guess_reaches_the_decision(family: type[Sensing]) -> None:
    student = network(family, modalities=("rgb",), hallucinate="audio", cross_modal=True).train()
    student(clips()[0])["logits"].square().sum().backward()
    gradients = [*student.adapter.parameters(), *student.cross.parameters()]
    assert all(p.grad is not None for p in gradients)
    assert sum(float(p.grad.abs().sum()) for p in gradients) > 0


@families
@pytest.mark.parametrize("fusion", SYMMETRIC)
def test_the_order_of_views_does_not_matter(family: type[Sensing], fusion: str) -> None:
    model, (rgb, audio), order = network(family, fusion, cross_modal=True), clips(), [2, 0, 1]
    first, second = model(rgb, audio), model(rgb[:, order], audio[:, order])
    for name in ("logits", "frame_logits", "fused"):
        close(first[name], second[name])
    for name in ("view_logits", "view_frame_logits", "features"):
        close(first[name][:, order], second[name])


@families
def test_concat_knows_the_order_of_views(family: type[Sensing]) -> None:
    model, (rgb, audio) = network(family, "concat"), clips()
    name = "token_logits" if family is MultiASL else "logits"
    first, second = model(rgb, audio)[name], model(rgb.flip(1), audio.flip(1))[name]
    assert not torch.allclose(first, second, atol=1e-5)


@families
@fusions
@pytest.mark.parametrize("by_frame", [False, True])
def test_a_masked_view_has_no_influence(family: type[Sensing], fusion: str, by_frame: bool) -> None:
    model, (rgb, audio) = network(family, fusion, cross_modal=True, view_mask="present"), clips()
    assert model.reads == ("rgb", "audio", "present")
    mask = torch.tensor([[1.0, 0.0, 1.0]] * 2)
    mask = mask[..., None].repeat(1, 1, FRAMES) if by_frame else mask
    other = rgb.clone(), audio.clone()
    for value in other:
        value[:, 1] = torch.randn_like(value[:, 1])
    first, second = model(rgb, audio, mask), model(*other, mask)
    decisions = {"logits", "frame_logits", "fused", "token_logits", "best_frames", "actionness_spatial"}
    for name in decisions & set(first):
        torch.testing.assert_close(first[name], second[name])
    every = model(rgb, audio, torch.ones(2, VIEWS))
    assert not torch.allclose(first["frame_logits"], every["frame_logits"], atol=1e-6)
    close(every["logits"], network(family, fusion, cross_modal=True)(rgb, audio)["logits"])


@families
@pytest.mark.parametrize("fusion", SYMMETRIC)
def test_a_masked_view_might_as_well_not_be_there(family: type[Sensing], fusion: str) -> None:
    model, (rgb, audio) = network(family, fusion, view_mask="present"), clips()
    masked = model(rgb, audio, torch.tensor([[1.0, 1.0, 0.0]] * 2))
    without = model(rgb[:, :2], audio[:, :2], torch.ones(2, 2))
    for name in ("logits", "frame_logits"):
        close(masked[name], without[name])


@families
def test_a_masked_frame_of_a_view_has_no_influence(family: type[Sensing]) -> None:
    model, (rgb, _) = network(family, modalities=("rgb",), view_mask="present"), clips()
    mask = torch.ones(2, VIEWS, FRAMES)
    mask[0, 1, 4:6] = 0
    other = rgb.clone()
    other[0, 1, 4:6] = torch.rand(2, 3, 32, 32)
    first, second = model(rgb, mask), model(other, mask)
    for name in ("logits", "frame_logits", "fused"):
        torch.testing.assert_close(first[name], second[name])
    assert not torch.allclose(first["logits"], model(other, torch.ones_like(mask))["logits"], atol=1e-7)


@families
@fusions
def test_nothing_there_is_finite_with_finite_gradients(family: type[Sensing], fusion: str) -> None:
    model = network(family, fusion, cross_modal=True, view_mask="present").train()
    output = model(*clips(), torch.zeros(2, VIEWS))
    total = sum(value.square().sum() for value in output.values() if value.is_floating_point())
    total.backward()
    assert total.isfinite()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from(list(SIZES)),
    st.sampled_from(FUSIONS),
    st.integers(1, 4),
    st.integers(1, 11),
    st.integers(1, 2),
)
def test_any_number_of_views_and_frames_runs(
    family: type[Sensing], fusion: str, views: int, frames: int, batch: int
) -> None:
    model = network(family, fusion, num_views=views, cross_modal=True)
    output = model(*clips(batch, views, frames))
    assert output["logits"].shape == (batch, CLASSES)
    assert output["view_frame_logits"].shape == (batch, views, frames, CLASSES)
    assert output["frame_logits"].shape == (batch, frames, CLASSES)
    assert all(value.isfinite().all() for value in output.values())


@families
def test_one_view_alone_decides_as_its_fusion_does(family: type[Sensing]) -> None:
    output = network(family)(*(value[:, :1] for value in clips()))
    close(output["view_frame_logits"][:, 0], output["frame_logits"])


@pytest.mark.parametrize("family", [MultiASL, MultiTSF])
def test_no_gradient_goes_from_one_view_s_logits_to_another_view(family: type[Sensing]) -> None:
    model, (rgb, audio) = network(family, cross_modal=True), clips()
    rgb.requires_grad_()
    output = model(rgb, audio)
    (output["view_logits"][:, 0].sum() + output["view_frame_logits"][:, 0].sum()).backward()
    assert rgb.grad is not None
    assert rgb.grad[:, 0].abs().sum() > 0
    assert rgb.grad[:, 1:].abs().sum() == 0


@families
def test_cross_attention_reads_the_other_modality(family: type[Sensing]) -> None:
    model = network(family, cross_modal=True)
    with Taps(model, model.taps).reading() as out:
        model(*clips())
    assert [tuple(weights.shape) for weights in out.cross_attention] == [(2 * VIEWS, 4, FRAMES, FRAMES)] * 2
    for weights in (*out.cross_attention, *out.attention):
        torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]))


@families
def test_stages_are_the_frames_of_each_view_channels_first(family: type[Sensing]) -> None:
    model = network(family)
    with Taps(model, model.taps).reading() as out:
        output = model(*clips())
    assert [tuple(stage.shape) for stage in out.stages] == [(2 * VIEWS, 32, FRAMES)] * 2
    torch.testing.assert_close(out.stages[0].transpose(1, 2).unflatten(0, (2, -1)), output["features"])
    assert not torch.allclose(*out.stages)


@families
def test_encoders_of_papers_fit_in(family: type[Sensing]) -> None:
    vit = {"type": "FrameViT", "image_size": 32, "patch": 16, "width": 24, "layers": 2, "heads": 2}
    mlp = {"type": "SpectrogramMLP", "hops": 8, "bins": 32, "width": 16, "widths": (12,)}
    torch.manual_seed(0)
    model = family(CLASSES, {"rgb": vit, "audio": mlp}, width=16, **SIZES[family])
    with Taps(model, model.taps).reading() as out:
        assert model(*clips())["logits"].shape == (2, CLASSES)
    assert [tuple(w.shape) for w in out.frame_attention] == [(2 * VIEWS * FRAMES, 2, 5, 5)] * 2


def test_the_frame_branch_of_multiasl_is_its_description() -> None:
    model, values = network(MultiASL), clips()
    output = model(*values)
    spatial = output["features"].amax(1)
    torch.testing.assert_close(output["fused"].chunk(2, -1)[0], spatial)
    close(output["actionness_spatial"], model.spatial(spatial).squeeze(-1).sigmoid())
    close(output["frame_logits"], model.classes(output["fused"]))
    actionness = output["actionness_spatial"], output["actionness_temporal"]
    best = best_frames(output["frame_logits"], actionness)
    assert torch.equal(output["best_frames"], best)
    assert int(best.sum(1).unique()) == FRAMES // 8
    close(output["logits"], selected_logits(output["frame_logits"], best))


def test_the_selection_gives_actionness_no_gradient() -> None:
    model = network(MultiASL)
    model(*clips())["logits"].sum().backward()
    assert model.spatial.weight.grad is None
    assert model.classes.weight.grad is not None


def test_the_views_interaction_is_torch_s_encoder_layer_batch_first() -> None:
    ours, theirs = interaction_and_torch_s(batch_first=True, paper_code_compat=False)
    x = torch.randn(2, VIEWS, FRAMES, 16)
    expected = theirs(x.transpose(1, 2).flatten(0, 1)).unflatten(0, (2, -1)).transpose(1, 2)
    close(ours(x), expected)


def test_paper_code_compat_is_torch_s_encoder_layer_sequence_first() -> None:
    ours, theirs = interaction_and_torch_s(batch_first=False, paper_code_compat=True)
    x = torch.randn(2, VIEWS, FRAMES, 16)
    expected = theirs(x.transpose(1, 2).flatten(0, 1)).unflatten(0, (2, -1)).transpose(1, 2)
    close(ours(x), expected)


def interaction_and_torch_s(batch_first: bool, paper_code_compat: bool) -> tuple[nn.Module, nn.Module]:
    """Ours and torch's layer with the same weights."""
    torch.manual_seed(0)
    ours = ViewInteraction(16, 4, 32, paper_code_compat=paper_code_compat).eval()
    theirs = nn.TransformerEncoderLayer(16, 4, 32, 0.1, batch_first=batch_first).eval()
    pairs = {
        "self_attn.in_proj_weight": ours.attention.mixed.weight,
        "self_attn.in_proj_bias": ours.attention.mixed.bias,
        "self_attn.out_proj.weight": ours.attention.out.weight,
        "self_attn.out_proj.bias": ours.attention.out.bias,
        "linear1.weight": ours.feed[0].weight,
        "linear1.bias": ours.feed[0].bias,
        "linear2.weight": ours.feed[3].weight,
        "linear2.bias": ours.feed[3].bias,
        **{
            f"norm{i}.{kind}": getattr(getattr(ours, f"norm{i}"), kind)
            for i in (1, 2)
            for kind in ("weight", "bias")
        },
    }
    theirs.load_state_dict(pairs)
    return ours, theirs


@pytest.mark.parametrize("compat", [False, True])
def test_what_attends_to_what(compat: bool) -> None:
    """Right: the views of one frame of one clip. The authors' code: all frames and clips of one view."""
    torch.manual_seed(0)
    layer = ViewInteraction(16, 4, 16, paper_code_compat=compat).eval()
    x = torch.randn(2, VIEWS, FRAMES, 16, requires_grad=True)
    layer(x)[0, 0, 0].square().sum().backward()
    assert x.grad is not None
    touched = x.grad.abs().sum(-1) > 0
    expected = torch.zeros_like(touched)
    if compat:
        expected[:, 0] = True
    else:
        expected[0, :, 0] = True
    assert torch.equal(touched, expected)


def test_with_paper_code_compat_the_result_depends_on_the_batch() -> None:
    rgb, audio = clips()
    for compat in (False, True):
        model = network(MultiTSF, "mean", paper_code_compat=compat)
        alone, together = model(rgb[:1], audio[:1])["logits"], model(rgb, audio)["logits"][:1]
        assert torch.allclose(alone, together, rtol=1e-4, atol=1e-5) != compat


def test_a_masked_view_has_no_influence_with_paper_code_compat() -> None:
    model, (rgb, audio) = network(MultiTSF, "mean", paper_code_compat=True, view_mask="present"), clips()
    mask, other = torch.tensor([[1.0, 0.0, 1.0]] * 2), rgb.clone()
    other[:, 1] = 0
    torch.testing.assert_close(model(rgb, audio, mask)["logits"], model(other, audio, mask)["logits"])


@pytest.mark.parametrize("fusion", FUSIONS)
def test_both_branches_of_multitsf_may_decide(fusion: str) -> None:
    one, both = (network(MultiTSF, fusion, decision=decision)(*clips()) for decision in ("clip", "both"))
    close(both["logits"], (one["logits"] + one["frame_logits"].amax(1)) / 2)


def test_fused_views_are_their_formulas() -> None:
    x, keep = torch.randn(2, 3, 4, 5), torch.rand(2, 3, 4) > 0.4
    keep[0, :, 0] = False
    results = {kind: fuse_views(x, kind, keep) for kind in FUSIONS}
    for b in range(2):
        for t in range(4):
            there = x[b, keep[b, :, t], t]
            zeros = torch.zeros(5)
            highest = there.amax(0) if len(there) else zeros
            torch.testing.assert_close(results["max"][b, t], highest)
            torch.testing.assert_close(results["sum"][b, t], there.sum(0))
            torch.testing.assert_close(results["mean"][b, t], there.mean(0) if len(there) else zeros)
            side_by_side = torch.cat([x[b, v, t] if keep[b, v, t] else zeros for v in range(3)])
            torch.testing.assert_close(results["concat"][b, t], side_by_side)


@fusions
def test_a_view_s_own_logits_are_those_with_all_others_masked(fusion: str) -> None:
    head = ViewHead(fusion, 8, 5, num_views=VIEWS)
    x = torch.randn(2, VIEWS, 4, 8)
    everything = head(x)
    for view in range(VIEWS):
        keep = torch.zeros(2, VIEWS, 4, dtype=torch.bool)
        keep[:, view] = True
        close(head(x, keep)[:, -1], everything[:, view])


def test_late_fusion_is_the_highest_decision() -> None:
    head = ViewHead("late", 8, 5)
    x = torch.randn(2, VIEWS, 8)
    torch.testing.assert_close(head(x)[:, -1], head.fc(x).amax(1))


def test_cross_modal_attention_is_torch_s() -> None:
    torch.manual_seed(0)
    ours, theirs = CrossModal(16, 4), nn.MultiheadAttention(16, 4, batch_first=True)
    theirs.load_state_dict(
        {
            "in_proj_weight": torch.cat((ours.query.weight, ours.source.weight)),
            "in_proj_bias": torch.cat((ours.query.bias, ours.source.bias)),
            "out_proj.weight": ours.out.weight,
            "out_proj.bias": ours.out.bias,
        }
    )
    x, y = torch.randn(2, 6, 16), torch.randn(2, 4, 16)
    keep = torch.tensor([[True, True, False, True], [True, False, False, False]])
    read, weights = theirs(x, y, y, key_padding_mask=~keep)
    close(ours(x, y, keep), ours.norm(x + read))
    assert weights.shape == (2, 6, 4)


def test_the_adapter_is_a_bottleneck_beside_its_input() -> None:
    adapter = Adapter(16, ratio=4)
    assert [
        (layer.in_features, layer.out_features) for layer in adapter.inner if isinstance(layer, nn.Linear)
    ] == [
        (16, 4),
        (4, 16),
    ]
    with torch.no_grad():
        adapter.inner[2].weight.zero_(), adapter.inner[2].bias.zero_()
    x = torch.randn(2, 3, 16)
    close(adapter(x), nn.functional.layer_norm(x, (16,)))


@families
def test_bad_arguments_are_named(family: type[Sensing]) -> None:
    with pytest.raises(ValueError, match="the view fusion 'maks' is unknown; did you mean: max"):
        network(family, "maks")
    with pytest.raises(ValueError, match="'concat' depends on the number of views; give num_views"):
        network(family, "concat", num_views=None)
    with pytest.raises(ValueError, match="no encoder reads the modality 'depth'; there is: audio, rgb"):
        network(family, modalities=("depth",))
    with pytest.raises(ValueError, match=r"modalities=\(\); name at least one of rgb, audio"):
        network(family, modalities=())
    with pytest.raises(ValueError, match="hallucinate='audio' is read already"):
        network(family, hallucinate="audio")
    with pytest.raises(ValueError, match="cross_modal=True needs two modalities; there is: rgb"):
        network(family, modalities=("rgb",), cross_modal=True)


@families
def test_concat_refuses_another_number_of_views(family: type[Sensing]) -> None:
    with pytest.raises(ValueError, match="clips of 2 views; there is: a classifier of 3"):
        network(family, "concat")(*clips(views=2))


def test_bad_numbers_are_named() -> None:
    with pytest.raises(ValueError, match="portion=0 of the frames' number"):
        network(MultiASL, portion=0)
    with pytest.raises(ValueError, match=r"top=0 is no share of the frames; it lies in \(0, 1\]"):
        network(MultiTrans, top=0)
    with pytest.raises(ValueError, match="the decision 'bot' is unknown; did you mean: both"):
        network(MultiTSF, decision="bot")
    with pytest.raises(ValueError, match=r"drop_path=1\.0 is no chance to drop a branch"):
        network(MultiTSF, drop_path=1.0)
