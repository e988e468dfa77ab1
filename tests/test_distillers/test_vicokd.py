"""ViCoKD: its terms against their formulas, its options, what it reads and what it refuses."""

import itertools
import re

import pytest
import torch
from torch import Tensor, nn

from kdbench.backbones import MultiASL, MultiTrans, MultiTSF, MultiView
from kdbench.distillers import ViCoKD, bernoulli_kd_loss, kd_loss, vicokd, view_consistency
from kdbench.models import Distillation
from kdbench.registry import DISTILLERS, build
from kdbench.spec import MULTI_LABEL, SINGLE_LABEL, DataSpec, Fields, IncompatibleError, Needs

B, V, T, K = 2, 3, 4, 5
RGB = {"type": "FrameCNN", "in_channels": 3, "width": 16, "widths": (4, 8), "grid": (2, 2)}
AUDIO = {"type": "SpectrogramCNN", "width": 16}
STUDENT = {"type": MultiView, "encoders": {"rgb": RGB}, "width": 16}
TEACHER = {"type": MultiView, "encoders": {"rgb": RGB, "audio": AUDIO}, "width": 32, "weights": "random"}


def rooms(**fields: tuple[int, ...]) -> DataSpec:
    return DataSpec(
        "rooms",
        inputs={"rgb": (V, T, 3, 16, 16), "audio": (V, T, 8, 32)},
        num_classes=K,
        task=MULTI_LABEL,
        fields={"target": (K,), **(fields or {"visible": (V, T)})},
    )


def outputs(width: int, seed: int) -> Fields:
    rng = torch.Generator().manual_seed(seed)
    shapes = {
        "logits": (K,),
        "frame_logits": (T, K),
        "view_logits": (V, K),
        "view_frame_logits": (V, T, K),
        "features": (V, T, width),
        "fused": (T, width),
        "hallucinated": (V, T, width),
        "audio_features": (V, T, width),
    }
    return Fields({n: torch.randn(B, *s, generator=rng).requires_grad_() for n, s in shapes.items()})


def fitted(student: Fields, teacher: Fields, **config) -> ViCoKD:
    config = {"type": ViCoKD, **config}
    return build(DISTILLERS, ViCoKD.complete(config, student, teacher, rooms()))


def losses(distiller: ViCoKD, student: Fields, teacher: Fields, **batch: torch.Tensor) -> dict:
    """With nothing but what it says that it reads."""
    needs = distiller.needs
    assert set(batch) >= set(needs.batch)
    return distiller(
        Fields({n: student[n] for n in needs.student}),
        Fields({n: teacher[n] for n in needs.teacher}),
        Fields({n: batch[n] for n in needs.batch}),
    )


def someone() -> torch.Tensor:
    return torch.rand(B, V, T, generator=torch.Generator().manual_seed(7))


def test_the_terms_are_their_formulas_times_their_weights() -> None:
    student, teacher, scores = outputs(6, 1), outputs(6, 2), someone()
    found = losses(
        fitted(student, teacher, feature=2.0, logit=3.0, consistency=5.0, tau=2.0),
        student,
        teacher,
        visible=scores,
    )
    expected = {
        "loss_feature": 2 * (student.features - teacher.features).square().mean(),
        "loss_logit": 3 * bernoulli_kd_loss(student.logits, teacher.logits, 2.0),
        "loss_consistency": 5 * view_consistency(student.view_frame_logits, scores >= 0.5),
    }
    assert set(found) == set(expected)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value)


@pytest.mark.parametrize("term", ["feature", "logit", "consistency"])
def test_a_term_that_is_a_ten_thousandth_too_large_is_noticed(
    term: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if term == "logit":
        monkeypatch.setitem(vicokd.FORMS, "bernoulli", lambda *values: 1.0001 * bernoulli_kd_loss(*values))
    else:
        name = {"feature": "hint_loss", "consistency": "view_consistency"}[term]
        function = getattr(vicokd, name)
        monkeypatch.setattr(vicokd, name, lambda *values, **options: 1.0001 * function(*values, **options))
    with pytest.raises(AssertionError, match="not close"):
        test_the_terms_are_their_formulas_times_their_weights()


def test_equal_features_cost_nothing_and_other_widths_go_through_a_map() -> None:
    student = outputs(6, 1)
    same = fitted(student, student, logit=0.0, consistency=0.0)
    assert not list(same.parameters())
    assert float(losses(same, student, student)["loss_feature"].detach()) == 0
    wide = outputs(9, 2)
    mapped = fitted(student, wide, logit=0.0, consistency=0.0)
    assert mapped.project.weight.shape == (9, 6)
    expected = (mapped.project(student.features) - wide.features).square().mean()
    torch.testing.assert_close(losses(mapped, student, wide)["loss_feature"], expected)


def test_one_label_a_clip_is_compared_by_the_softmax_and_frames_are_rows() -> None:
    student, teacher = outputs(6, 1), outputs(6, 2)
    data = DataSpec("one", inputs={}, num_classes=K, task=SINGLE_LABEL)
    assert ViCoKD.infer(student, teacher, data) == {"form": "softmax"}
    alone = dict(feature=0.0, consistency=0.0, logit_level="frame", form="softmax")
    found = losses(fitted(student, teacher, **alone), student, teacher)["loss_logit"]
    rows = (fields.frame_logits.reshape(B * T, K) for fields in (student, teacher))
    torch.testing.assert_close(found, kd_loss(*rows, 4.0))


@pytest.mark.parametrize("confidence", ["max", "entropy", "detector", "none"])
@pytest.mark.parametrize("level", ["frame", "sequence", "view"])
@pytest.mark.parametrize("mask", [True, False])
def test_the_options_of_the_consistency_reach_it(confidence: str, level: str, mask: bool) -> None:
    student, scores = outputs(6, 1), someone()
    options = dict(confidence=confidence, level=level, divergence="generalised")
    alone = dict(feature=0.0, logit=0.0, consistency=1.0, threshold=0.3, view_form="bernoulli")
    distiller = fitted(student, Fields(), mask=mask, **alone, **options)
    assert distiller.needs.batch == (("visible",) if mask or confidence == "detector" else ())
    expected = view_consistency(
        student.view_logits if level == "view" else student.view_frame_logits,
        scores >= 0.3 if mask else None,
        scores=scores,
        form="bernoulli",
        **options,
    )
    found = losses(distiller, student, Fields(), visible=scores)["loss_consistency"]
    torch.testing.assert_close(found, expected)


def test_pixels_of_people_do_as_well() -> None:
    student, visible = outputs(6, 1), someone() > 0.5
    alone = dict(feature=0.0, logit=0.0)
    pixels = torch.zeros(B, V, T, 8, 8, dtype=torch.bool)
    pixels[..., 3, 5] = visible
    found = [
        losses(ViCoKD(**alone, persons=name), student, Fields(), **{name: value})["loss_consistency"]
        for name, value in (("visible", visible), ("mask", pixels))
    ]
    torch.testing.assert_close(*found, rtol=0, atol=0)


def test_a_guessed_modality_is_compared_with_the_teachers_own() -> None:
    student, teacher = outputs(6, 1), outputs(8, 2)
    taps = dict(feature_tap="hallucinated", teacher_tap="audio_features")
    distiller = fitted(student, teacher, logit=0.0, consistency=0.0, **taps)
    assert distiller.needs == Needs(student=("hallucinated",), teacher=("audio_features",))
    expected = (distiller.project(student.hallucinated) - teacher.audio_features).square().mean()
    torch.testing.assert_close(losses(distiller, student, teacher)["loss_feature"], expected)


def test_needs_follow_the_options_and_the_class_states_those_of_the_defaults() -> None:
    assert ViCoKD.needs_for({}) == ViCoKD.needs == ViCoKD().needs
    switches = itertools.product((0.0, 1.0), (0.0, 1.0), (0.0, 1.0), ("sequence", "frame"), ("frame", "view"))
    for feature, logit, consistency, logit_level, level in switches:
        if feature or logit or consistency:
            config = dict(feature=feature, logit=logit, consistency=consistency)
            config.update(logit_level=logit_level, level=level)
            student, teacher = outputs(6, 1), outputs(6, 2)
            distiller = fitted(student, teacher, **config)
            assert distiller.needs == ViCoKD.needs_for(config)
            found = losses(distiller, student, teacher, visible=someone())
            sum(found.values()).backward()
            assert {n for n, x in student.items() if x.grad is not None} == set(distiller.needs.student)
            assert not [n for n, x in teacher.items() if x.grad is not None]
            assert [f"loss_{n}" for n in ("feature", "logit", "consistency") if config[n]] == list(found)


def test_the_student_trains_without_the_teachers_sound_and_the_teacher_is_left_alone() -> None:
    model = Distillation(data=rooms(), student=STUDENT, teacher=TEACHER, distiller={"type": ViCoKD})
    before = {name: value.clone() for name, value in model.teacher.state_dict().items()}
    inputs = {"rgb": torch.rand(B, V, T, 3, 16, 16), "audio": torch.rand(B, V, T, 8, 32)}
    batch = {"target": torch.eye(K)[:B], "visible": someone() > 0.3}
    found = model.train()(inputs, mode="loss", **batch)
    assert {"loss_task", "loss_feature", "loss_logit", "loss_consistency"} == set(found)
    sum(found.values()).backward()
    assert all(p.grad is not None for p in model.student.parameters())
    assert all(p.grad is None for p in model.teacher.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.teacher.state_dict().items())
    heard = model.eval()(inputs, mode="tensor")
    torch.testing.assert_close(model({"rgb": inputs["rgb"]}, mode="tensor"), heard, rtol=0, atol=0)


FAMILIES = {MultiASL: {"head_width": 4}, MultiTSF: {"heads": 4, "view_hidden": 16}, MultiTrans: {}}
families = pytest.mark.parametrize("family", FAMILIES)


def network(family: type, **options: object) -> dict:
    """A small network of a family that sees and hears, if ``options`` do not say otherwise."""
    sizes = {"encoders": {"rgb": RGB, "audio": AUDIO}, "width": 16, "cross_modal": True, **FAMILIES[family]}
    return {"type": family, **sizes, **options}


@families
def test_a_student_that_guesses_the_sound_learns_and_runs_without_it(family: type) -> None:
    model = Distillation(
        data=rooms(),
        student=network(family, modalities=("rgb",), hallucinate="audio"),
        teacher=network(family, weights="random"),
        distiller={"type": ViCoKD},
    )
    inputs = {"rgb": torch.rand(B, V, T, 3, 16, 16), "audio": torch.rand(B, V, T, 8, 32)}
    found = model.train()(inputs, mode="loss", target=torch.eye(K)[:B], visible=torch.ones(B, V, T))
    found["loss_feature"].backward()
    assert all(float(p.grad.abs().sum()) > 0 for p in model.student.adapter.parameters())
    assert all(p.grad is None for p in model.teacher.parameters())
    heard = model.eval()(inputs, mode="tensor")
    torch.testing.assert_close(model({"rgb": inputs["rgb"]}, mode="tensor"), heard, rtol=0, atol=0)


@pytest.mark.parametrize("family", [MultiASL, MultiTSF])
def test_the_consistency_reaches_no_picture_of_a_view_that_shows_nobody(family: type) -> None:
    torch.manual_seed(0)
    alone = {"type": ViCoKD, "feature": 0.0, "logit": 0.0}
    student = network(family, modalities=("rgb",), cross_modal=False)
    model = Distillation(data=rooms(), student=student, distiller=alone).eval()
    rgb, visible = torch.rand(B, V, T, 3, 16, 16, requires_grad=True), torch.ones(B, V, T)
    visible[0, 1], visible[1, 1:] = 0, 0
    loss = model({"rgb": rgb}, mode="loss", target=torch.eye(K)[:B], visible=visible)["loss_consistency"]
    loss.backward()
    reached = rgb.grad.abs().sum((2, 3, 4, 5)) > 0
    assert reached.tolist() == [[True, False, True], [False, False, False]]


@pytest.mark.parametrize("mask", [0.0, 1.0])
def test_a_batch_in_which_nobody_or_everybody_is_seen_trains(mask: float) -> None:
    model = Distillation(data=rooms(), student=STUDENT, teacher=TEACHER, distiller={"type": ViCoKD})
    inputs = {"rgb": torch.rand(B, V, T, 3, 16, 16), "audio": torch.rand(B, V, T, 8, 32)}
    found = model.train()(inputs, mode="loss", target=torch.eye(K)[:B], visible=torch.full((B, V, T), mask))
    assert (float(found["loss_consistency"].detach()) > 0) == bool(mask)
    sum(found.values()).backward()
    assert all(p.grad.isfinite().all() for p in model.student.parameters())


def test_the_consistency_alone_needs_no_teacher() -> None:
    alone = {"type": ViCoKD, "feature": 0.0, "logit": 0.0}
    model = Distillation(data=rooms(), student=STUDENT, distiller=alone)
    batch = {"target": torch.eye(K)[:B], "visible": torch.ones(B, V, T)}
    found = model({"rgb": torch.rand(B, V, T, 3, 16, 16)}, mode="loss", **batch)
    assert set(found) == {"loss_task", "loss_consistency"}


class Plain(nn.Module):
    """A network without views: it gives logits and stages."""

    reads = ("rgb",)
    taps = {"stages": ["fc"]}

    def __init__(self, num_classes: int):
        super().__init__()
        self.fc = nn.Linear(3, num_classes)

    def forward(self, rgb: Tensor) -> Tensor:
        return self.fc(rgb.mean((1, 2, 4, 5)))


OTHER = "of other views or frames; take"
REFUSED = {
    "no tap": (
        {"student": {"type": Plain}},
        "ViCoKD reads the student's 'features'; there is: logits, stages; take a network that has it, or name its "
        "place in the student's taps",
    ),
    "no tap of the teacher": (
        {
            "teacher": {"type": Plain, "weights": "random"},
            "distiller": {"type": ViCoKD, "feature_tap": "fused"},
        },
        "ViCoKD reads the teacher's 'fused'; there is: logits, stages; take a network that has it, or name its "
        "place in the teacher's taps",
    ),
    "no mask": ({"data": rooms(index=())}, "ViCoKD reads the batch field 'visible'; there is: "),
    "other views": (
        {"data": rooms(visible=(V + 1, T))},
        f"the student's 'view_frame_logits' are (2, 3, 4, 5) and 'visible' is (4, 4) a clip, {OTHER} a network with "
        "the same, or give level='view', mask=False or consistency=0",
    ),
    "a list": (
        {
            "student": {"type": Plain},
            "teacher": {"type": Plain, "weights": "random"},
            "distiller": {"type": ViCoKD, "feature_tap": "stages", "consistency": 0.0},
        },
        "the tap 'stages' is a list; give feature_tap= of one tensor, or feature=0",
    ),
    "other axes": (
        {"distiller": {"type": ViCoKD, "feature_tap": "features", "teacher_tap": "fused"}},
        "the student's 'features' are (2, 3, 4, 16) and the teacher's 'fused' (2, 4, 32), of other views or frames; "
        "take networks with the same, or give feature_tap= or logit_level= of what they share",
    ),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_does_not_fit_is_refused_with_a_remedy(why: str) -> None:
    asked, message = REFUSED[why]
    row = {"data": rooms(), "student": STUDENT, "teacher": TEACHER, "distiller": {"type": ViCoKD}, **asked}
    with pytest.raises(IncompatibleError, match=re.escape(message)):
        Distillation(**row)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            dict(feature=0, logit=0, consistency=0),
            "ViCoKD needs a term; there is: feature, logit, consistency; give one a weight above 0",
        ),
        (dict(level="clip"), "level 'clip' is unknown; there is: frame, sequence, view"),
        (dict(logit_level="view"), "logit_level 'view' is unknown; there is: sequence, frame"),
        (dict(persons="boxes"), "persons 'boxes' is unknown; there is: visible, mask"),
        (dict(form="sigmoid"), "form 'sigmoid' is unknown; there is: softmax, bernoulli"),
        (dict(view_form="sigmoid"), "view_form 'sigmoid' is unknown; there is: softmax, bernoulli"),
    ],
)
def test_a_wrong_option_names_those_that_there_are(asked: dict, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ViCoKD(**asked)
