"""Mean average precision against scikit-learn and against loops."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from kdbench.evaluation import (
    BranchAP,
    MeanAP,
    average_precision,
    average_precision_authors,
    mean_average_precision,
)

shapes = st.tuples(st.integers(1, 12), st.integers(1, 5))


def drawn(seed: int, shape: tuple[int, int], levels: int | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    score = torch.rand(*shape, generator=rng, dtype=torch.float64)
    score = score if levels is None else (score * levels).round() / levels
    return score, (torch.rand(*shape, generator=rng) < 0.4).long()


def by_sklearn(score: np.ndarray, target: np.ndarray) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = [average_precision_score(t, s) for s, t in zip(score, target, strict=True) if t.any()]
    return float(np.mean(rows)) if rows else np.nan


PRECISIONS = [torch.float64, torch.float32, torch.float16, torch.bfloat16]


@given(st.integers(0, 2**31), shapes, st.sampled_from([None, 1, 3]), st.sampled_from(PRECISIONS))
def test_it_is_scikit_learns_with_and_without_ties(seed, shape, levels, precision) -> None:
    score, target = drawn(seed, shape, levels)
    score = (2 * score - 1).to(precision)  # logits have signs
    s, t = score.double().numpy(), target.numpy()
    expected = {
        "classes": by_sklearn(s.T, t.T),
        "clips": by_sklearn(s, t),
        "pairs": by_sklearn(s.reshape(1, -1), t.reshape(1, -1)),
    }
    for over, value in expected.items():
        found = mean_average_precision(score, target, over).item()
        np.testing.assert_allclose(found, value, rtol=1e-9)


@given(st.integers(0, 2**31), shapes, st.sampled_from([None, 2]))
def test_the_authors_form_is_their_loop(seed, shape, levels) -> None:
    score, target = drawn(seed, shape, levels)
    for row, truth, found in zip(score, target, average_precision_authors(score, target), strict=True):
        hits, total = 0, 0.0
        for rank, place in enumerate(np.argsort(row.numpy(), kind="stable")[::-1], start=1):
            hits += int(truth[place])
            total += int(truth[place]) * hits / rank
        expected = total / (hits + 1e-8) if hits else np.nan
        np.testing.assert_allclose(found.item(), expected, rtol=1e-9)


def finite(width: int) -> st.SearchStrategy:
    return st.floats(allow_nan=False, allow_infinity=False, width=width)


@given(st.lists(st.tuples(finite(32), st.sampled_from([-1, 0, 1])), min_size=1, max_size=30))
def test_any_numbers_of_single_precision_rank_as_doubles_do(entries) -> None:
    score, target = (torch.tensor(column) for column in zip(*entries, strict=True))
    exact = average_precision(score.double(), target)
    torch.testing.assert_close(
        average_precision(score.float(), target), exact, rtol=1e-12, atol=0, equal_nan=True
    )


def test_zeros_of_both_signs_are_one_score_and_doubles_are_not_rounded() -> None:
    zeros, near = torch.tensor([-0.0, 0.0]), torch.tensor([1.0, 1.0 + 1e-12], dtype=torch.float64)
    assert average_precision(zeros, torch.tensor([1, 0])) == 0.5
    assert average_precision(near, torch.tensor([0, 1])) == 1


@given(st.integers(0, 2**31), st.integers(2, 12))
def test_the_order_of_clips_does_not_matter_even_with_ties(seed, size) -> None:
    score, target = drawn(seed, (1, size), levels=2)
    mixed = torch.randperm(size, generator=torch.Generator().manual_seed(seed))
    pair = average_precision(score, target), average_precision(score[:, mixed], target[:, mixed])
    torch.testing.assert_close(*pair, equal_nan=True)


@given(st.integers(0, 2**31), st.integers(2, 12))
def test_entries_without_a_label_are_as_if_they_were_not_there(seed, size) -> None:
    score, target = drawn(seed, (1, size), levels=3)
    hidden = torch.arange(size) % 3 == 1
    kept = average_precision(score[:, ~hidden], target[:, ~hidden])
    for form in (average_precision, average_precision_authors):
        whole = form(score, target.masked_fill(hidden, -1))
        torch.testing.assert_close(whole, form(score[:, ~hidden], target[:, ~hidden]), equal_nan=True)
    assert kept.shape == (1,)


def test_a_monotone_change_of_scores_changes_nothing() -> None:
    score, target = drawn(0, (20, 4))
    for over in ("classes", "clips", "pairs"):
        torch.testing.assert_close(
            mean_average_precision(score, target, over), mean_average_precision(score.logit(), target, over)
        )


def test_scores_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="average precision needs finite scores"):
        average_precision(torch.tensor([0.1, torch.nan]), torch.tensor([0, 1]))


def test_an_unknown_axis_names_those_that_there_are() -> None:
    with pytest.raises(
        ValueError, match="over='views', compat=None is unknown; there is: over classes, clips, pairs"
    ):
        mean_average_precision(*drawn(0, (3, 2)), over="views")


def samples(count: int = 9) -> list[dict]:
    score, target = drawn(4, (count, 3), levels=4)
    frames, frame_target = drawn(5, (count * 6, 3))
    frame_target[::5] = -1
    return [
        {
            "score": score[i],
            "target": target[i].float(),
            "index": torch.tensor(i),
            "frame_score": frames.view(count, 6, 3)[i],
            "frame_target": frame_target.view(count, 6, 3)[i],
        }
        for i in range(count)
    ]


def test_the_metric_is_in_percent_and_takes_frames_without_padding() -> None:
    metric, rows = MeanAP(), samples()
    metric.process({}, rows[:4])
    metric.process({}, rows[4:])
    found = metric.evaluate(len(rows))
    score, target = (torch.stack([r[name] for r in rows]).numpy() for name in ("score", "target"))
    frames, truth = (
        torch.stack([r[name] for r in rows]).flatten(0, 1).numpy() for name in ("frame_score", "frame_target")
    )
    known = truth[:, 0] >= 0
    assert found == pytest.approx(
        {
            "mAP_C": 100 * by_sklearn(score.T, target.T),
            "mAP_S": 100 * by_sklearn(score, target),
            "micro_AP": 100 * by_sklearn(score.reshape(1, -1), target.reshape(1, -1)),
            "frame_mAP": 100 * by_sklearn(frames[known].T, truth[known].T),
        }
    )


def test_frames_are_optional_and_doubles_and_order_do_not_matter() -> None:
    rows = [{k: v for k, v in row.items() if "frame" not in k} for row in samples()]
    plain, mixed = MeanAP(compat="authors"), MeanAP(compat="authors")
    plain.process({}, rows)
    mixed.process({}, rows[::-1] + rows[:2])
    expected = plain.evaluate(len(rows))
    assert set(expected) == {"mAP_C", "mAP_S", "micro_AP"}
    assert mixed.evaluate(len(rows) + 2) == expected


def test_the_branches_are_softmaxes_of_the_clip_of_its_highest_frames_and_their_mean() -> None:
    rows = samples()
    rng = torch.Generator().manual_seed(6)
    for row in rows:
        row["logits"], row["frame_logits"] = (
            4 * torch.randn(shape, generator=rng, dtype=torch.float64) for shape in ((3,), (6, 3))
        )
    metric = BranchAP()
    metric.process({}, rows)
    found = metric.evaluate(len(rows))
    scores = {"clip": [], "frames": [], "both": []}
    for row in rows:
        known = [t for t in range(6) if row["frame_target"][t, 0] >= 0]
        highest = [max(float(row["frame_logits"][t, k]) for t in known) for k in range(3)]
        pair = [np.exp(x) / np.exp(x).sum() for x in (row["logits"].numpy(), np.array(highest))]
        for name, score in zip(scores, (*pair, sum(pair) / 2), strict=True):
            scores[name].append(score)
    target = torch.stack([row["target"] for row in rows]).numpy()
    for name, branch in scores.items():
        assert found[f"{name}/mAP_C"] == pytest.approx(100 * by_sklearn(np.array(branch).T, target.T)), name
        assert found[f"{name}/mAP_S"] == pytest.approx(100 * by_sklearn(np.array(branch), target)), name
    assert len({round(found[f"{name}/mAP_C"], 6) for name in scores}) == 3
    alone = BranchAP(compat="authors")
    alone.process({}, [{k: v for k, v in row.items() if "frame" not in k} for row in rows])
    assert {*alone.evaluate(len(rows))} == {"clip/mAP_C", "clip/mAP_S", "clip/micro_AP"}
