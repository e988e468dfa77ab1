"""CrossView: its terms against independent computations, and which clips its pseudo-labels admit."""

from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import Categorical, kl_divergence

from kdbench.distillers import CrossView, agreement_loss, flexible_thresholds, kd_loss, pseudo_labels
from kdbench.distillers.crossview import joint_logits
from kdbench.spec import IGNORED, DataSpec, Fields

B, V, K = 6, 3, 5


def made(seed: int = 0, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def students(seed: int = 0) -> Fields:
    fields = {"peers": made(seed, B, V, K), "peers_strong": made(seed + 1, B, V, K)}
    return Fields({name: value.requires_grad_() for name, value in fields.items()})


def teacher(scale: float = 3.0) -> Fields:
    return Fields(logits=scale * made(9, B, K))


SPEC = DataSpec(name="views", inputs={}, num_classes=K, task="single-label", num_train=B)
TARGET = torch.tensor([0, IGNORED, 2, IGNORED, IGNORED, 4])


def test_each_term_is_what_it_says() -> None:
    student, lesson = students(), teacher()
    losses = CrossView(labels=2.0, pseudo=3.0, agreement=0.5, threshold=0.6, strong=True)(
        student, lesson, Fields(target=TARGET)
    )
    labelled = TARGET >= 0
    each = student.peers.unbind(1)
    labels = sum(F.cross_entropy(view[labelled], TARGET[labelled]) for view in each) / V
    logit = sum(kd_loss(view, lesson.logits, 4.0) for view in each) / V
    confidence, classes = lesson.logits.softmax(1).max(1)
    admitted = ~labelled & (confidence >= 0.6)
    assert 0 < admitted.sum() < (~labelled).sum()
    strong = [view[admitted] for view in student.peers_strong.unbind(1)]
    pseudo = sum(F.cross_entropy(view, classes[admitted], reduction="sum") for view in strong) / V
    pairs = [
        kl_divergence(Categorical(logits=u), Categorical(logits=v)).mean()
        for v in each
        for u in each
        if u is not v
    ]
    expected = {
        "loss_crossview_labels": 2 * labels,
        "loss_crossview_logit": logit,
        "loss_crossview_pseudo": 3 * pseudo / (~labelled).sum(),
        "loss_crossview_agreement": 0.5 * sum(pairs) / len(pairs),
    }
    assert {*losses} == {*expected}
    for name, value in expected.items():
        torch.testing.assert_close(losses[name], value)


def test_labelled_clips_get_no_pseudo_label() -> None:
    student = students()
    loss = CrossView(labels=0, logit=0, agreement=0, rule="all")(student, teacher(), Fields(target=TARGET))
    sum(loss.values()).backward()
    moved = student.peers.grad.abs().sum((1, 2)) > 0
    assert moved.tolist() == (TARGET < 0).tolist()


def test_a_batch_without_unlabelled_clips_has_no_pseudo_loss() -> None:
    loss = CrossView(rule="all")(students(), teacher(), Fields(target=torch.zeros(B, dtype=torch.int64)))
    assert loss["loss_crossview_pseudo"] == 0


@given(st.integers(0, 1000), st.floats(0, 1))
def test_pseudo_labels_are_the_sure_classes(seed: int, threshold: float) -> None:
    logits = 4 * made(seed, 8, K)
    probability = logits.softmax(1)
    for own, label in zip(probability, pseudo_labels(logits, threshold), strict=True):
        assert (int(label) == int(own.argmax())) if own.max() >= threshold else (label == IGNORED)


@given(st.lists(st.integers(0, 50), min_size=2, max_size=6), st.floats(0.1, 1))
def test_flexible_thresholds_rise_with_the_counts(counts: list[int], threshold: float) -> None:
    found = flexible_thresholds(torch.tensor(counts, dtype=torch.float64), threshold)
    assert found.max() == pytest.approx(threshold)
    assert found.min() >= 0
    shares = [count / max(1, max(counts)) if max(counts) else 1.0 for count in counts]
    assert found.tolist() == pytest.approx([threshold * share / (2 - share) for share in shares])
    order = sorted(range(len(counts)), key=counts.__getitem__)
    assert all(found[a] <= found[b] for a, b in pairwise(order))


def test_the_balanced_rule_learns_which_classes_the_teacher_is_seldom_sure_of() -> None:
    method = CrossView(rule="balanced", num_classes=K, threshold=0.9)
    sure = Fields(
        logits=torch.tensor([[9.0, 0, 0, 0, 0]] * 4 + [[0, 9.0, 0, 0, 0], [0, 0, 1.0, 0, 0]]).double()
    )
    unlabelled = Fields(target=torch.full((B,), IGNORED))
    first = method(students(), sure, unlabelled)["loss_crossview_pseudo"]
    assert method.sure.tolist() == [4, 1, 0, 0, 0]
    assert (
        method(students(), sure, unlabelled)["loss_crossview_pseudo"] > first
    )  # the unsure clip is admitted
    counted = method.sure.clone()
    method.eval()(students(), sure, unlabelled)
    assert torch.equal(method.sure, counted)


@given(st.integers(0, 1000))
def test_jointly_the_probabilities_are_multiplied(seed: int) -> None:
    views, lesson, shown = made(seed, B, V, K), made(seed + 1, B, K), torch.arange(V) < 2
    product = lesson.softmax(1) * views[:, :2].softmax(2).mean(1)
    found = joint_logits(lesson, views, shown.expand(B, V)).softmax(1)
    torch.testing.assert_close(found, product / product.sum(1, keepdim=True))


def test_a_joint_name_needs_no_sure_teacher() -> None:
    student, unlabelled = Fields(logits=torch.tensor([[0.0, 8.0]])), Fields(target=torch.tensor([IGNORED]))
    unsure = Fields(logits=torch.tensor([[0.5, 0.0]]))
    terms = dict(labels=0.0, logit=0.0, views=False)
    assert CrossView(**terms)(student, unsure, unlabelled)["loss_crossview_pseudo"] == 0
    joint = CrossView(**terms, source="joint")(student, unsure, unlabelled)["loss_crossview_pseudo"]
    torch.testing.assert_close(joint, F.cross_entropy(student.logits, torch.tensor([1])))


@pytest.mark.parametrize("source", ["teacher", "joint"])
def test_alignment_names_the_classes_that_the_teacher_forgets(source: str) -> None:
    """Four clips of two classes, of which the teacher names one: the two it doubts most become the other's."""
    lesson = Fields(logits=torch.tensor([[9.0, 0.0], [8.0, 0.0], [2.0, 0.0], [1.0, 0.0]]))
    method = CrossView(logit=0, labels=0, views=False, num_classes=2, rule="all", align=True, source=source)
    student = Fields(logits=torch.zeros(4, 2))
    for _ in range(500):
        loss = method(student, lesson, Fields(target=torch.full((4,), IGNORED)))
    assert method.align(lesson.logits).argmax(1).tolist() == [0, 0, 1, 1]
    expected = {"teacher": "align.offset", "joint": "align_joint.offset"}[source]
    assert method.state_dict()[expected][1] > 1
    assert loss["loss_crossview_pseudo"] == pytest.approx(0.6931, abs=1e-3)


@given(st.integers(0, 1000), st.sampled_from(["mutual", "jsd"]))
def test_agreement_knows_no_order_and_is_zero_for_equals(seed: int, form: str) -> None:
    views = made(seed, 4, V, K)
    loss = agreement_loss(views, form)
    assert loss >= 0
    torch.testing.assert_close(agreement_loss(views[:, [2, 0, 1]], form), loss)
    torch.testing.assert_close(
        agreement_loss(views[:, :1].expand_as(views), form), torch.zeros_like(loss), atol=1e-12, rtol=0
    )
    assert agreement_loss(views[:, :1], form).abs() < 1e-12


def test_jsd_is_the_mean_divergence_from_the_mean() -> None:
    views = made(3, 4, V, K)
    mean = Categorical(probs=views.softmax(2).mean(1))
    each = [kl_divergence(Categorical(logits=views[:, v]), mean).mean() for v in range(V)]
    torch.testing.assert_close(agreement_loss(views, "jsd"), sum(each) / V)


def test_an_imitated_student_gets_no_gradient_when_detached() -> None:
    views = made(4, 2, 2, K).requires_grad_()
    (both,) = torch.autograd.grad(agreement_loss(views), views)
    (alone,) = torch.autograd.grad(agreement_loss(views, detach=True), views)
    probability = views.softmax(2)
    torch.testing.assert_close(alone, (probability - probability.flip(1)) / 4)
    assert not torch.allclose(alone, both)


def test_one_student_reads_logits_alone() -> None:
    method = CrossView(views=False, strong=True)
    assert method.needs.student == ("logits", "logits_strong")
    one = Fields(logits=made(0, B, K), logits_strong=made(1, B, K))
    several = Fields(peers=one.logits[:, None], peers_strong=one.logits_strong[:, None])
    found = method(one, teacher(), Fields(target=TARGET))
    expected = CrossView(strong=True)(several, teacher(), Fields(target=TARGET))
    assert "loss_crossview_agreement" not in found
    for name, value in found.items():
        torch.testing.assert_close(value, expected[name])


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"rule": "thresholds"}, "rule 'thresholds' is unknown; did you mean: threshold"),
        ({"agreement_form": "jds"}, "agreement_form 'jds' is unknown; did you mean: jsd"),
        ({"threshold": 1.5}, r"a threshold of 1.5 was asked for; it is a probability in \[0, 1\]"),
        ({"align": True}, "count classes, of which there are 0; give num_classes="),
        ({"rule": "balanced"}, "count classes, of which there are 0; give num_classes="),
        ({"contrast": 0.1, "student_dim": 4}, "embeds 4 and 0 numbers; give student_dim= and teacher_dim="),
    ],
)
def test_bad_arguments_say_what_there_is(argument: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CrossView(**argument)


SHOWN = torch.tensor([[1, 1, 1], [1, 0, 1], [0, 1, 0], [1, 1, 1], [1, 1, 0], [0, 0, 1]], dtype=torch.bool)


def test_without_its_terms_no_teacher_is_read() -> None:
    weights = {"logit": 0.0, "pseudo": 0.0, "agreement": 0.5}
    distiller = CrossView(**weights, num_classes=4, align=True)
    assert CrossView.needs_for(weights).teacher == ()
    found = distiller(Fields(peers=torch.randn(2, 3, 4)), Fields(), Fields(target=torch.tensor([1, -100])))
    assert {*found} == {"loss_crossview_labels", "loss_crossview_agreement"}


def test_an_absent_view_has_no_part_in_any_term() -> None:
    lesson, batch = teacher(), Fields(target=TARGET)
    distiller = CrossView(labels=2.0, pseudo=3.0, agreement=0.5, threshold=0.6, strong=True)
    student = Fields({**students(), "view_shown": SHOWN})
    losses = distiller(student, lesson, batch)
    sum(losses.values()).backward()
    for peers in (student.peers, student.peers_strong):
        assert not peers.grad[~SHOWN].any()
    assert (student.peers.grad.abs().sum(2) > 0)[SHOWN].all()
    other = {name: torch.where(SHOWN[..., None], student[name], 7.0) for name in ("peers", "peers_strong")}
    for name, value in distiller(Fields({**other, "view_shown": SHOWN}), lesson, batch).items():
        torch.testing.assert_close(value, losses[name])


@pytest.mark.parametrize("form", ["mutual", "jsd"])
def test_terms_of_partly_shown_clips_are_those_of_the_views_that_are_there(form: str) -> None:
    student, lesson = students(), teacher()
    losses = CrossView(pseudo=0.0, agreement=1.0, agreement_form=form)(
        Fields({**student, "view_shown": SHOWN}), lesson, Fields(target=TARGET)
    )
    own = [student.peers[SHOWN[:, v], v] for v in range(V)]
    taught = [kd_loss(view, lesson.logits[SHOWN[:, v]], 4.0) for v, view in enumerate(own)]
    torch.testing.assert_close(losses["loss_crossview_logit"], sum(taught) / V)
    known = [SHOWN[:, v] & (TARGET >= 0) for v in range(V)]
    labels = [F.cross_entropy(student.peers[which, v], TARGET[which]) for v, which in enumerate(known)]
    torch.testing.assert_close(losses["loss_crossview_labels"], sum(labels) / V)
    pairs = [agreement_loss(student.peers[b, SHOWN[b]][None], form) for b in range(B) if SHOWN[b].sum() > 1]
    torch.testing.assert_close(losses["loss_crossview_agreement"], sum(pairs) / len(pairs))


def test_all_views_shown_is_as_without_a_mask() -> None:
    student, lesson, batch = students(), teacher(), Fields(target=TARGET)
    plain = CrossView(rule="all")(student, lesson, batch)
    marked = CrossView(rule="all")(Fields({**student, "view_shown": SHOWN | True}), lesson, batch)
    for name, value in plain.items():
        torch.testing.assert_close(marked[name], value)


def test_contrast_of_views_that_may_be_absent_is_refused() -> None:
    student = Fields({**students(), "view_shown": SHOWN, "view_embeddings": made(1, B, V, 4)})
    with pytest.raises(ValueError, match="views may be absent here; give contrast=0"):
        CrossView.complete({"contrast": 0.1}, student, Fields(embedding=made(2, B, 4)), SPEC)


@pytest.mark.parametrize(("views", "name"), [(True, "view_embeddings"), (False, "embedding")])
def test_contrast_embeds_all_numbers_of_a_student(views: bool, name: str) -> None:
    """Embeddings may be maps ``(C, T)``; a network's last axis is not its width."""
    student = Fields(students() if views else {"logits": made(0, B, K)})
    student[name] = made(1, B, *([V] if views else []), 4, 7)
    lesson = Fields({**teacher(), "embedding": made(2, B, 2, 3)})
    config = CrossView.complete({"contrast": 0.1, "views": views}, student, lesson, SPEC)
    assert (config["student_dim"], config["teacher_dim"]) == (4 * 7, 2 * 3)
    method = CrossView(**config).double()
    assert method(student, lesson, Fields(target=TARGET))["loss_crossview_contrast"].isfinite()
