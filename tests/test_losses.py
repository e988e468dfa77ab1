"""Task losses against loops and torch's own functions."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from kdbench.backbones.selection import best_frames, selected_logits
from kdbench.losses import (
    ActionSelection,
    BinaryCrossEntropy,
    CrossEntropy,
    GeneralisedCrossEntropy,
    HumanCentric,
    TwoWay,
    generalised_cross_entropy,
    human_loss,
    pseudo_actionness,
    two_way_loss,
)
from kdbench.registry import LOSSES, build
from kdbench.spec import MULTI_LABEL, SINGLE_LABEL, Fields, Needs


def test_two_way_equals_its_formula_written_as_loops() -> None:
    rng = torch.Generator().manual_seed(0)
    x, y = torch.randn(5, 4, generator=rng, dtype=torch.float64), torch.rand(5, 4, generator=rng) > 0.6
    y[2], y[:, 3], y[3, 3] = False, False, True

    def one(logits, labels):
        positive = 4 * sum((-v / 4).exp() for v, label in zip(logits, labels, strict=True) if label).log()
        negative = sum(v.exp() for v, label in zip(logits, labels, strict=True) if not label).log()
        return F.softplus(positive + negative)

    rows = [one(x[i], y[i]) for i in range(5) if y[i].any()]
    columns = [one(x[:, k], y[:, k]) for k in range(4) if y[:, k].any()]
    expected = sum(rows) / len(rows) + sum(columns) / len(columns)
    torch.testing.assert_close(two_way_loss(x, y.double()), expected)
    torch.testing.assert_close(
        TwoWay()(Fields(logits=x.float()), Fields(target=y.float()))["loss_task"], expected.float()
    )


def test_generalised_cross_entropy_tends_to_cross_entropy_as_q_vanishes() -> None:
    p, y = (
        torch.tensor([[0.2, 0.9, 0.6]], dtype=torch.float64),
        torch.tensor([[1.0, 1.0, 0.0]], dtype=torch.float64),
    )
    expected = -(p[0, 0].log() + p[0, 1].log()) / 2 - (1 - p[0, 2]).log()
    torch.testing.assert_close(generalised_cross_entropy(p, y, q=1e-6), expected, rtol=1e-4, atol=0)


def test_cross_entropy_is_torch_s_over_labelled_clips() -> None:
    logits, target = torch.randn(4, 3), torch.tensor([0, -100, 2, 1])
    loss = CrossEntropy(label_smoothing=0.1)(Fields(logits=logits), Fields(target=target))["loss_task"]
    torch.testing.assert_close(loss, F.cross_entropy(logits, target, label_smoothing=0.1))


def test_binary_cross_entropy_leaves_out_unlabelled_entries_and_weighs_frames() -> None:
    logits, target = torch.randn(2, 3), torch.tensor([[1.0, 0.0, -1.0], [-1.0, -1.0, -1.0]])
    student = Fields(logits=logits, frame_logits=logits[:, None])
    batch = Fields(target=target, frame_target=target[:, None])
    losses = BinaryCrossEntropy(scale=2.0, frame_weight=0.5)(student, batch)
    expected = F.binary_cross_entropy_with_logits(logits[0, :2], target[0, :2])
    torch.testing.assert_close(losses["loss_task"], 2 * expected)
    torch.testing.assert_close(losses["loss_task_frame"], expected)
    nothing = BinaryCrossEntropy()(student, Fields(target=torch.full((2, 3), -1.0)))["loss_task"]
    assert float(nothing) == 0


@pytest.mark.parametrize("value", [1e4, -1e4])
def test_saturated_logits_stay_finite(value: float) -> None:
    logits = torch.full((2, 3), value, requires_grad=True)
    two_way_loss(logits, torch.tensor([[1.0, 0, 0], [0, 0, 0]])).backward()
    assert logits.grad.isfinite().all()


def test_two_way_leaves_out_unlabelled_entries() -> None:
    logits = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    target = torch.tensor([[1.0, 0, 0], [0, 1, 1], [-1, -1, -1], [1, 0, 1]])
    kept = [0, 1, 3]
    torch.testing.assert_close(two_way_loss(logits, target), two_way_loss(logits[kept], target[kept]))
    nothing = two_way_loss(logits.requires_grad_(), torch.full((4, 3), -1.0))
    nothing.backward()
    assert float(nothing.detach()) == 0
    assert torch.equal(logits.grad, torch.zeros(4, 3))


def test_two_way_of_large_logits_is_not_a_matter_of_the_mask() -> None:
    """With -100 for what is left out, the class without negatives would cost 1900."""
    x, y = torch.tensor([[2000.0, -900.0]]), torch.tensor([[1.0, 0.0]])
    assert float(two_way_loss(x, y)) == 0
    assert float(two_way_loss(-x, y)) == pytest.approx(2000 + 900)


def test_two_way_weighs_frames_as_rows() -> None:
    rng = torch.Generator().manual_seed(0)
    frames, labels = torch.randn(2, 6, 4, generator=rng), (torch.rand(2, 6, 4, generator=rng) > 0.6).float()
    task = TwoWay(frame_weight=0.5)
    assert set(task.needs.student) == {"logits", "frame_logits"}
    assert set(task.needs.batch) == {"target", "frame_target"}
    student = Fields(logits=frames.amax(1), frame_logits=frames)
    losses = task(student, Fields(target=labels.amax(1), frame_target=labels))
    expected = 0.5 * two_way_loss(frames.reshape(12, 4), labels.reshape(12, 4))
    torch.testing.assert_close(losses["loss_task_frame"], expected)


def test_generalised_cross_entropy_is_its_formula_written_as_loops() -> None:
    rng = torch.Generator().manual_seed(0)
    a, g = torch.rand(4, 6, generator=rng, dtype=torch.float64), torch.rand(4, 6, generator=rng) > 0.5
    target = g.double()
    target[1], target[2], target[3] = 1.0, -1.0, torch.tensor([1, 0, -1, -1, 1, 0])
    rows = []
    for p, y in zip(a, target, strict=True):
        positive = [float((1 - v**0.7) / 0.7) for v, label in zip(p, y, strict=True) if label == 1]
        negative = [float((1 - (1 - v) ** 0.7) / 0.7) for v, label in zip(p, y, strict=True) if label == 0]
        if positive or negative:
            rows.append(sum(sum(part) / len(part) for part in (positive, negative) if part))
    assert len(rows) == 3
    assert float(generalised_cross_entropy(a, target)) == pytest.approx(sum(rows) / 3)


def test_generalised_cross_entropy_of_one_label_lies_between_cross_entropy_and_the_chance_of_error() -> None:
    logits, target = torch.randn(5, 3), torch.tensor([0, -100, 2, 1, 1])
    student, batch = Fields(logits=logits), Fields(target=target)
    found = {q: GeneralisedCrossEntropy(q)(student, batch)["loss_task"] for q in (1e-4, 0.7, 1.0)}
    torch.testing.assert_close(found[1e-4], F.cross_entropy(logits, target), rtol=1e-2, atol=1e-3)
    right = logits.softmax(1)[[0, 2, 3, 4], [0, 2, 1, 1]]
    torch.testing.assert_close(found[1.0], 1 - right.mean())
    torch.testing.assert_close(found[0.7], ((1 - right**0.7) / 0.7).mean())
    several = (torch.rand(5, 3) > 0.5).float()
    torch.testing.assert_close(
        GeneralisedCrossEntropy(0.5)(student, Fields(target=several))["loss_task"],
        generalised_cross_entropy(logits.sigmoid(), several, 0.5),
    )
    with pytest.raises(
        ValueError, match=r"^q=0 is no exponent of the generalised cross-entropy; there is: \(0, 1\]$"
    ):
        GeneralisedCrossEntropy(0)


def selecting(frames: int = 17, labels: float = 0.5) -> tuple[Fields, Fields]:
    rng = torch.Generator().manual_seed(0)
    cas, token = torch.randn(3, frames, 4, generator=rng), torch.randn(3, 4, generator=rng)
    actionness = [torch.rand(3, frames, generator=rng) for _ in range(2)]
    best = best_frames(cas, actionness)
    student = Fields(
        logits=selected_logits(cas, best),
        token_logits=token,
        frame_logits=cas,
        best_frames=best,
        actionness_temporal=actionness[0],
        actionness_spatial=actionness[1],
        human_logits=torch.randn(3, 2, frames, generator=rng),
    )
    return student, Fields(target=(torch.rand(3, 4, generator=rng) < labels).float())


def test_the_best_frames_and_their_actionness_are_found_as_loops_find_them() -> None:
    student, batch = selecting()
    a = (student.actionness_temporal + student.actionness_spatial).tolist()
    wanted = torch.zeros(3, 17)
    for b in range(3):
        chances = student.frame_logits[b].softmax(-1).tolist()
        for k in range(4):
            scores = [(chances[t][k] + a[b][t], t) for t in range(17)]
            best = [t for _, t in sorted(scores)[-2:]]
            assert sorted(student.best_frames[b, :, k].nonzero()[:, 0].tolist()) == sorted(best)
            mean = sum(float(student.frame_logits[b, t, k]) for t in best) / 2
            assert float(student.logits[b, k]) == pytest.approx(mean, abs=1e-6)
            for t in best:
                wanted[b, t] = max(wanted[b, t], batch.target[b, k])
    assert torch.equal(pseudo_actionness(student.best_frames, batch.target), wanted)


def test_fewer_than_eight_frames_still_give_one() -> None:
    student, _ = selecting(frames=3)
    assert (student.best_frames.sum(1) == 1).all()
    assert student.logits.isfinite().all()


def test_action_selection_is_the_sum_of_its_terms_each_of_which_can_be_left_out() -> None:
    student, batch = selecting()
    target = pseudo_actionness(student.best_frames, batch.target)
    both = (student.actionness_temporal, student.actionness_spatial)
    expected = {
        "loss_task": two_way_loss(student.logits, batch.target),
        "loss_task_token": 2 * two_way_loss(student.token_logits, batch.target),
        "loss_task_actionness": 3 * sum(generalised_cross_entropy(a, target, 0.5) for a in both),
    }
    task = build(LOSSES, dict(type="ActionSelection", q=0.5, token_weight=2.0, actionness_weight=3.0))
    found = task(Fields({n: student[n] for n in task.needs.student}), batch)
    assert list(found) == list(expected)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value)
    plain = ActionSelection(token_weight=0.0, actionness_weight=0.0)
    assert plain.needs == TwoWay().needs == Needs(batch=("target",), teacher=(), tasks=(MULTI_LABEL,))
    assert list(plain(Fields(logits=student.logits), batch)) == ["loss_task"]


def test_clips_without_a_label_teach_no_actionness() -> None:
    student, batch = selecting()
    batch.target[1] = -1.0
    assert (pseudo_actionness(student.best_frames, batch.target)[1] == -1).all()
    found = ActionSelection()(student, batch)["loss_task_actionness"]
    kept = Fields({name: value[[0, 2]] for name, value in student.items()})
    without = ActionSelection()(kept, Fields(target=batch.target[[0, 2]]))["loss_task_actionness"]
    torch.testing.assert_close(found, without)


sizes = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 5))
seeds = st.integers(0, 2**31)


def seen(seed: int, size: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
    """A human head's logits, and a detector's scores with nobody in many a frame and view."""
    rng = torch.Generator().manual_seed(seed)
    logits, scores = (torch.randn(size, generator=rng, dtype=torch.float64) for _ in range(2))
    there = torch.rand(size[:2], generator=rng) < 0.7
    return logits, scores.sigmoid() * (scores > 0) * there[..., None]


@settings(deadline=None)
@given(seeds, sizes)
def test_the_human_loss_is_its_formula_written_as_loops(seed: int, size: tuple[int, int, int]) -> None:
    logits, scores = seen(seed, size)
    shown, sums, frames = [], [], []
    for b, v in itertools.product(range(size[0]), range(size[1])):
        row, target = logits[b, v].tolist(), scores[b, v].tolist()
        log_total = math.log(sum(math.exp(x) for x in row))
        costs = [log_total - x for x in row]
        sums.append(sum(h * cost for h, cost in zip(target, costs, strict=True)))
        if sum(target) > 0:
            shown.append(sums[-1] / sum(target))
        pairs = [(h, 1 / (1 + math.exp(-x))) for h, x in zip(target, row, strict=True)]
        frames += [-h * math.log(p) - (1 - h) * math.log(1 - p) for h, p in pairs]
    expected = {
        "normalised": sum(shown) / max(len(shown), 1),
        "sums": sum(sums) / len(sums),
        "frame": sum(frames) / len(frames),
    }
    for form, value in expected.items():
        assert float(human_loss(logits, scores, form)) == pytest.approx(value, abs=1e-12)


def test_the_human_loss_of_the_authors_is_torch_s_cross_entropy_over_time() -> None:
    """Their head gives ``(B * V, T, 1)``, and torch takes the second axis for classes."""
    logits, scores = seen(0, (3, 4, 6))
    theirs = F.cross_entropy(logits.reshape(12, 6, 1), scores.reshape(12, 6, 1))
    torch.testing.assert_close(human_loss(logits, scores, "sums"), theirs)


@pytest.mark.parametrize("form", ["normalised", "sums"])
def test_nobody_anywhere_is_exactly_zero_with_zero_gradients(form: str) -> None:
    logits = (1e4 * torch.randn(2, 3, 4)).requires_grad_()
    loss = human_loss(logits, torch.zeros(2, 3, 4), form)
    loss.backward()
    assert float(loss.detach()) == 0
    assert torch.equal(logits.grad, torch.zeros(2, 3, 4))


def test_how_sure_a_detector_is_matters_to_the_authors_sums_only() -> None:
    logits, scores = seen(0, (3, 4, 6))
    half = {form: human_loss(logits, scores / 2, form) for form in ("normalised", "sums")}
    torch.testing.assert_close(half["normalised"], human_loss(logits, scores))
    torch.testing.assert_close(half["sums"], human_loss(logits, scores, "sums") / 2)


def test_the_human_centred_loss_adds_the_human_head_to_two_way() -> None:
    student, batch = selecting()
    batch["visible"], batch["frame_target"] = torch.rand(3, 2, 17) > 0.5, (torch.rand(3, 17, 4) > 0.5).float()
    task = build(LOSSES, dict(type="HumanCentric", frame_weight=0.5, human_weight=2.0, human_form="sums"))
    assert set(task.needs.student) == {"logits", "frame_logits", "human_logits"}
    assert set(task.needs.batch) == {"target", "frame_target", "visible"}
    found, two_way = task(student, batch), TwoWay(frame_weight=0.5)(student, batch)
    human = 2 * human_loss(student.human_logits, batch.visible.float(), "sums")
    assert list(found) == [*two_way, "loss_task_human"]
    torch.testing.assert_close(found, {**two_way, "loss_task_human": human})
    normalised = human_loss(student.human_logits, batch.visible.float())
    torch.testing.assert_close(HumanCentric()(student, batch)["loss_task_human"], normalised)
    message = "the human loss 'sum' is unknown; did you mean: sums"
    with pytest.raises(ValueError, match=message):
        HumanCentric(human_form="sum")
    with pytest.raises(ValueError, match=message):
        human_loss(student.human_logits, batch.visible, "sum")


@pytest.mark.parametrize("name", sorted(LOSSES.module_dict))
def test_every_task_loss_is_finite_for_saturated_half_precision_and_a_batch_of_one(name: str) -> None:
    task = build(LOSSES, {"type": name})
    student, batch = selecting()
    student = Fields({n: x[:1].bfloat16() if x.is_floating_point() else x[:1] for n, x in student.items()})
    for field in ("logits", "token_logits", "human_logits"):
        student[field] = (1e4 * student[field]).requires_grad_()
    student["actionness_spatial"] = torch.ones_like(student.actionness_spatial).requires_grad_()
    is_one = SINGLE_LABEL in task.needs.tasks and MULTI_LABEL not in task.needs.tasks
    target = torch.tensor([1]) if is_one else batch.target[:1]
    total = sum(task(student, Fields(target=target, visible=torch.ones(1, 2, 17))).values())
    total.backward()
    assert total.dtype == torch.float32
    assert total.isfinite()
    assert student.logits.grad.isfinite().all()
