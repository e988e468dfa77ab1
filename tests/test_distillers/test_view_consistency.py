"""View consistency against loops over clips, frames, views and classes, and what it must not change with."""

import math
import re
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from kdbench.distillers import jensen_shannon, view_consistency
from kdbench.distillers.view_divergence import CONFIDENCES, DIVERGENCES, LEVELS

FORMS = ("softmax", "bernoulli")
sizes = st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4), st.integers(2, 4))
options = st.fixed_dictionaries(
    {
        "confidence": st.sampled_from(CONFIDENCES),
        "divergence": st.sampled_from(DIVERGENCES),
        "level": st.sampled_from(LEVELS),
        "form": st.sampled_from(FORMS),
    }
)
seeds = st.integers(0, 2**31)
unhurried = settings(deadline=None)  # the first call of a process warms torch up
every_option = [
    pytest.param(dict(confidence=c, divergence=d, level=n, form=f), id=f"{c}-{d}-{n}-{f}")
    for c in CONFIDENCES
    for d in DIVERGENCES
    for n in LEVELS
    for f in FORMS
]


def clips(seed: int, size: tuple[int, int, int, int], level: str) -> tuple[Tensor, Tensor, Tensor]:
    """Logits, masks and a detector's scores."""
    rng, (batch, views, frames, classes) = torch.Generator().manual_seed(seed), size
    shape = (batch, views, classes) if level == "view" else (batch, views, frames, classes)
    logits = 2 * torch.randn(*shape, generator=rng, dtype=torch.float64)
    seen = torch.rand(batch, views, frames, generator=rng) < 0.7
    return logits, seen, torch.rand(batch, views, frames, generator=rng, dtype=torch.float64)


def entropy(q: list[float]) -> float:
    return -sum(x * math.log(x) for x in q if x > 0)


def answers(row: np.ndarray, form: str) -> list[list[float]]:
    """The distributions that a row of logits stands for: one over classes, or one a class."""
    if form == "softmax":
        total = sum(math.exp(x) for x in row)
        return [[math.exp(x) / total for x in row]]
    return [[1 / (1 + math.exp(-x)), 1 / (1 + math.exp(x))] for x in row]


def sure(q: list[float], score: float, kind: str) -> float:
    return {"max": max(q), "entropy": 1 - entropy(q) / math.log(len(q)), "detector": score, "none": 1.0}[kind]


def units(logits: np.ndarray, seen: np.ndarray, scores: np.ndarray, level: str, form: str):
    """For each thing to compare: distributions and scores by view, and the pairs of views that are compared."""
    for clip, mask, score in zip(logits, seen, scores, strict=True):
        views, frames = mask.shape
        if level == "frame":
            for t in range(frames):
                pairs = [(i, j) for i, j in combinations(range(views), 2) if mask[i, t] and mask[j, t]]
                yield {v: (answers(clip[v, t], form), score[v, t]) for v in range(views)}, pairs
            continue
        pairs = [
            p
            for p in combinations(range(views), 2)
            if any(mask[p[0], t] and mask[p[1], t] for t in range(frames))
        ]
        found = {}
        for v in {v for pair in pairs for v in pair}:
            there = [t for t in range(frames) if mask[v, t]]
            each = [answers(clip[v] if level == "view" else clip[v, t], form) for t in there]
            found[v] = (np.mean(each, axis=0).tolist(), sum(score[v, t] for t in there) / len(there))
        yield found, pairs


def looped(logits, seen, scores, confidence, divergence, level, form) -> float:
    above, below = 0.0, 1e-8
    for views, pairs in units(logits.numpy(), seen.numpy(), scores.numpy(), level, form):
        for question in range(len(next(iter(views.values()))[0]) if views else 0):
            q = {v: value[0][question] for v, value in views.items()}
            c = {v: sure(q[v], value[1], confidence) for v, value in views.items()}
            each, whole = [], sum(c[i] * c[j] for i, j in pairs)
            if divergence == "pairwise":
                for i, j in pairs:
                    middle = [(a + b) / 2 for a, b in zip(q[i], q[j], strict=True)]
                    each.append(c[i] * c[j] * (entropy(middle) - entropy(q[i]) / 2 - entropy(q[j]) / 2))
            elif pairs:
                members = {v for pair in pairs for v in pair}
                total = sum(c[v] for v in members)
                mixed = [sum(c[v] * q[v][k] for v in members) / total for k in range(len(q[pairs[0][0]]))]
                inside = sum(c[v] * entropy(q[v]) for v in members) / total
                each.append(whole * (entropy(mixed) - inside))
            above, below = above + sum(each), below + whole
    return above / below


@unhurried
@example(
    0, (1, 2, 2, 2), dict(confidence="entropy", divergence="generalised", level="sequence", form="softmax")
)
@given(seeds, sizes, options)
def test_it_is_the_sum_written_as_loops(seed, size, options) -> None:
    logits, seen, scores = clips(seed, size, options["level"])
    found = view_consistency(logits, seen, scores=scores, **options)
    assert float(found) == pytest.approx(looped(logits, seen, scores, **options), rel=1e-7, abs=1e-12)


@unhurried
@given(seeds, sizes, options)
def test_its_gradient_is_that_of_finite_differences_with_the_confidence_held(seed, size, options) -> None:
    options = {**options, "confidence": "none" if options["confidence"] != "detector" else "detector"}
    logits, seen, scores = clips(seed, size, options["level"])
    logits.requires_grad_()
    view_consistency(logits, seen, scores=scores, **options).backward()
    direction = torch.randn_like(logits)
    ends = [
        view_consistency(logits.detach() + sign * 1e-5 * direction, seen, scores=scores, **options)
        for sign in (1, -1)
    ]
    expected = float(ends[0] - ends[1]) / 2e-5
    assert float((logits.grad * direction).sum()) == pytest.approx(expected, rel=1e-4, abs=1e-8)


@pytest.mark.parametrize("options", every_option)
@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_nobody_visible_is_exactly_zero_with_zero_gradients(options: dict, scale: float) -> None:
    logits, seen, scores = clips(0, (2, 3, 4, 5), options["level"])
    logits = (scale * logits.float()).requires_grad_()
    loss = view_consistency(logits, torch.zeros_like(seen), scores=scores.float(), **options)
    loss.backward()
    assert float(loss.detach()) == 0
    assert torch.equal(logits.grad, torch.zeros_like(logits))


@pytest.mark.parametrize("options", every_option)
@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_one_view_is_exactly_zero_with_zero_gradients(options: dict, scale: float) -> None:
    logits, seen, scores = clips(0, (2, 3, 4, 5), options["level"])
    alone = torch.zeros_like(seen)
    alone[0, 1], alone[1, 0] = True, True
    for size in (3, 1):
        few = (scale * logits[:, :size].float()).detach().requires_grad_()
        loss = view_consistency(few, alone[:, :size], scores=scores[:, :size].float(), **options)
        loss.backward()
        assert float(loss.detach()) == 0
        assert torch.equal(few.grad, torch.zeros_like(few))


@pytest.mark.parametrize("options", every_option)
def test_views_that_are_never_visible_at_once_are_not_compared(options: dict) -> None:
    logits, _, scores = clips(0, (1, 2, 4, 5), options["level"])
    seen = torch.tensor([[[1, 1, 0, 0], [0, 0, 1, 1]]])
    assert float(view_consistency(logits, seen, scores=scores, **options)) == 0


@pytest.mark.parametrize("options", every_option)
def test_views_that_agree_are_zero(options: dict) -> None:
    logits, seen, scores = clips(0, (2, 3, 4, 5), options["level"])
    same = logits[:, :1].expand_as(logits)
    seen = seen[:, :1].expand_as(seen)
    assert abs(float(view_consistency(same, seen, scores=scores, **options))) < 1e-12


@unhurried
@given(seeds, sizes, options)
def test_the_order_of_views_clips_and_classes_does_not_matter(seed, size, options) -> None:
    logits, seen, scores = clips(seed, size, options["level"])
    rng = torch.Generator().manual_seed(seed)
    rows, views, classes = (torch.randperm(size[i], generator=rng) for i in (0, 1, 3))
    mixed = [x[rows][:, views] for x in (logits[..., classes], seen, scores)]
    expected = view_consistency(logits, seen, scores=scores, **options)
    torch.testing.assert_close(view_consistency(mixed[0], mixed[1], scores=mixed[2], **options), expected)


@unhurried
@given(seeds, sizes, options)
def test_no_gradient_reaches_what_a_view_says_where_it_sees_nobody(seed, size, options) -> None:
    logits, seen, scores = clips(seed, size, options["level"])
    hidden = ~(seen.any(-1) if options["level"] == "view" else seen)
    spoilt = logits.masked_fill(hidden[..., None], math.nan).requires_grad_()
    logits.requires_grad_()
    expected = view_consistency(logits, seen, scores=scores, **options)
    found = view_consistency(spoilt, seen, scores=scores, **options)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    expected.backward(), found.backward()
    assert (logits.grad[hidden] == 0).all()
    torch.testing.assert_close(spoilt.grad, logits.grad, rtol=0, atol=0)


@unhurried
@given(seeds, sizes, options)
def test_it_lies_between_zero_and_its_bound(seed, size, options) -> None:
    logits, seen, scores = clips(seed, size, options["level"])
    loss = float(view_consistency(100 * logits, seen, scores=scores, **options))
    assert -1e-9 <= loss <= math.log(2 if options["divergence"] == "pairwise" else size[1]) + 1e-9


def test_views_that_contradict_each_other_are_at_the_bound() -> None:
    logits = torch.tensor([[[[1e4, 0.0, 0.0]], [[0.0, 1e4, 0.0]], [[0.0, 0.0, 1e4]]]])
    assert float(view_consistency(logits, None)) == pytest.approx(math.log(2))
    assert float(view_consistency(logits, None, divergence="generalised")) == pytest.approx(math.log(3))


@unhurried
@given(seeds, sizes, options)
def test_of_two_equally_sure_views_both_divergences_are_one(seed, size, options) -> None:
    options = {**options, "confidence": "none"}
    logits, seen, scores = clips(seed, (size[0], 2, *size[2:]), options["level"])
    pair = [
        view_consistency(logits, seen, scores=scores, **{**options, "divergence": d}) for d in DIVERGENCES
    ]
    torch.testing.assert_close(*pair)


@pytest.mark.parametrize("options", every_option)
def test_saturated_half_precision_logits_have_finite_gradients(options: dict) -> None:
    logits, seen, scores = clips(0, (2, 3, 4, 5), options["level"])
    rough = (200 * logits).bfloat16().requires_grad_()
    loss = view_consistency(rough, seen, scores=scores.bfloat16(), **options)
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.isfinite()
    assert rough.grad.isfinite().all()


def test_confidence_has_no_gradient() -> None:
    """Equal to the unweighted loss's where all are equally sure, though each could gain by being less so."""
    logits = torch.tensor([[[[2.0, 0.0]], [[0.0, 2.0]]]], dtype=torch.float64)
    gradients = []
    for confidence in ("max", "entropy", "none"):
        leaf = logits.clone().requires_grad_()
        view_consistency(leaf, None, confidence=confidence, epsilon=0.0).backward()
        gradients.append(leaf.grad)
    torch.testing.assert_close(gradients[0], gradients[2])
    torch.testing.assert_close(gradients[1], gradients[2])


def test_shares_of_zero_are_left_out_of_the_mixture() -> None:
    q = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]], dtype=torch.float64)
    pair = jensen_shannon(q[:2].log(), torch.tensor([0.5, 0.5], dtype=torch.float64))
    torch.testing.assert_close(jensen_shannon(q.log(), torch.tensor([0.5, 0.5, 0.0]).double()), pair)
    assert float(jensen_shannon(q.log(), torch.zeros(3).double())) == 0


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"confidence": "sum"}, "confidence 'sum' is unknown; there is: max, entropy, detector, none"),
        ({"divergence": "kl"}, "divergence 'kl' is unknown; there is: pairwise, generalised"),
        ({"level": "clip"}, "level 'clip' is unknown; there is: frame, sequence, view"),
        ({"form": "sigmoid"}, "form 'sigmoid' is unknown; there is: softmax, bernoulli"),
        (
            {"confidence": "detector"},
            "confidence 'detector' reads a detector's scores; there is: none; give scores=",
        ),
    ],
)
def test_a_wrong_option_names_those_that_there_are(asked: dict, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        view_consistency(torch.zeros(1, 2, 3, 4), None, **asked)
