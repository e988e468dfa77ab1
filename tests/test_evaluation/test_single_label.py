"""Accuracy, calibration and fidelity against scikit-learn and by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, top_k_accuracy_score
from torch.distributions import Bernoulli, Categorical, kl_divergence

from kdbench.evaluation import (
    Calibration,
    Fidelity,
    TopK,
    brier_score,
    expected_calibration_error,
    topk_accuracy,
)

K = 5


def drawn(seed: int, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    logits = torch.randn(size, K, generator=rng, dtype=torch.float64)
    return logits, torch.randint(K, (size,), generator=rng)


@given(st.integers(0, 2**31), st.integers(1, 30), st.integers(1, K - 1))
def test_top_k_is_scikit_learns(seed, size, k) -> None:
    logits, target = drawn(seed, size)
    expected = top_k_accuracy_score(target.numpy(), logits.numpy(), k=k, labels=np.arange(K))
    assert topk_accuracy(logits, target, k).item() == pytest.approx(expected)


def test_a_constant_score_is_right_for_one_class_only() -> None:
    score, target = torch.zeros(K, K), torch.arange(K)
    assert topk_accuracy(score, target, k=1).item() == pytest.approx(1 / K)
    assert topk_accuracy(score, target, k=3).item() == pytest.approx(3 / K)


def test_a_score_that_is_no_number_is_wrong() -> None:
    score = torch.full((4, K), torch.nan)
    score[2:] = torch.arange(K)
    score[3, 0] = torch.nan
    assert topk_accuracy(score, torch.tensor([0, 1, 4, 4]), k=1) == 0.25
    assert topk_accuracy(score, torch.tensor([0, 1, 4, 4]), k=K) == 0.25


@given(st.integers(0, 2**31), st.integers(2, 40), st.integers(1, 20))
def test_calibration_error_is_the_loop_over_bins(seed, size, bins) -> None:
    logits, target = drawn(seed, size)
    probability = logits.softmax(1)
    confidence, best = (x.numpy() for x in probability.max(1))
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        abs((best == target.numpy())[place == b].mean() - confidence[place == b].mean()) * (place == b).mean()
        for b in np.unique(place)
    ]
    found = expected_calibration_error(probability, target, bins).item()
    assert found == pytest.approx(sum(gaps))


@given(st.integers(0, 2**31), st.integers(2, 30))
def test_brier_is_scikit_learns(seed, size) -> None:
    logits, target = drawn(seed, size)
    probability = logits.softmax(1)
    expected = brier_score_loss(target.numpy(), probability.numpy(), labels=np.arange(K), scale_by_half=False)
    assert brier_score(probability, target).item() == pytest.approx(expected)


def evaluated(metric, rows: list[dict]) -> dict:
    metric.process({}, rows[:3])
    metric.process({}, rows[3:])
    return metric.evaluate(len(rows))


def rows(logits: torch.Tensor, target: torch.Tensor, score: torch.Tensor, **more: torch.Tensor) -> list[dict]:
    columns = {"logits": logits, "target": target, "score": score, "index": torch.arange(len(logits)), **more}
    return [{name: column[i] for name, column in columns.items()} for i in range(len(logits))]


def test_metrics_leave_out_clips_without_a_label() -> None:
    logits, target = drawn(1, 12)
    hidden = target.clone()
    hidden[::3] = -100
    keep = hidden >= 0
    all_rows, labelled = (
        rows(logits, hidden, logits.softmax(1)),
        rows(logits[keep], hidden[keep], logits[keep].softmax(1)),
    )
    assert evaluated(TopK(), all_rows) == evaluated(TopK(), labelled)
    assert evaluated(Calibration(), all_rows) == pytest.approx(evaluated(Calibration(), labelled))


def test_accuracy_is_in_percent() -> None:
    logits, target = drawn(1, 12)
    found = evaluated(TopK(topk=(1, 2)), rows(logits, target, logits.softmax(1)))
    assert found == {
        f"top{k}": pytest.approx(100 * top_k_accuracy_score(target, logits, k=k, labels=np.arange(K)))
        for k in (1, 2)
    }


def test_fidelity_of_one_and_of_several_labels() -> None:
    (student, target), (teacher, _) = drawn(1, 8), drawn(2, 8)
    one = evaluated(Fidelity(), rows(student, target, student, teacher_logits=teacher))
    same = (student.argmax(1) == teacher.argmax(1)).double().mean().item()
    divergence = kl_divergence(Categorical(logits=teacher), Categorical(logits=student)).mean().item()
    assert one == pytest.approx({"agreement": 100 * same, "teacher_KL": divergence})

    several = evaluated(Fidelity(), rows(student, (student > 1).double(), student, teacher_logits=teacher))
    same = ((student > 0) == (teacher > 0)).double().mean().item()
    divergence = kl_divergence(Bernoulli(logits=teacher), Bernoulli(logits=student)).mean().item()
    assert several == pytest.approx({"agreement": 100 * same, "teacher_KL": divergence})


def test_fidelity_says_nothing_without_a_teacher() -> None:
    logits, target = drawn(1, 4)
    assert evaluated(Fidelity(), rows(logits, target, logits)) == {}


def test_calibration_of_several_labels_counts_pairs() -> None:
    score = torch.tensor([[0.9, 0.2], [0.9, 0.2], [0.9, 0.2], [0.9, 0.2]])
    target = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, -1.0], [0.0, 1.0]])
    found = evaluated(Calibration(), rows(score, target, score))
    # bins: 0.9 is right 3 of 4 times, 0.2 is present 1 of 3 times
    assert found["ECE"] == pytest.approx(100 * (4 * 0.15 + 3 * (1 / 3 - 0.2)) / 7)
    assert found["brier"] == pytest.approx((3 * 0.01 + 0.81 + 2 * 0.04 + 0.64) / 7)


def test_results_are_kept_on_the_cpu_without_a_graph() -> None:
    logits, target = drawn(1, 4)
    metric = TopK()
    metric.process({}, rows(logits, target, logits.requires_grad_().softmax(1)))
    assert all(not row["score"].requires_grad and row["score"].is_cpu for row in metric.results)
    assert all(row["score"].untyped_storage().nbytes() == K * 8 for row in metric.results)


def test_a_column_that_is_not_there_is_an_error() -> None:
    logits, target = drawn(1, 4)
    with pytest.raises(KeyError, match="ensemble"):
        TopK(column="ensemble").process({}, rows(logits, target, logits))


def test_fidelity_of_frames_leaves_out_padding() -> None:
    rng = torch.Generator().manual_seed(3)
    frames = torch.randn(2, 6, 4, K, generator=rng, dtype=torch.float64)
    truth = (frames[0] > 0).double()
    truth[::2, -1] = -1
    logits, _ = drawn(1, 6)
    columns = {"teacher_logits": logits, "frame_logits": frames[0], "teacher_frame_logits": frames[1]}
    found = evaluated(Fidelity(), rows(logits, (logits > 1).double(), logits, frame_target=truth, **columns))
    student, teacher = (each[truth[..., 0] >= 0] for each in frames)
    same = ((student > 0) == (teacher > 0)).double().mean().item()
    divergence = kl_divergence(Bernoulli(logits=teacher), Bernoulli(logits=student)).mean().item()
    assert found["frame_agreement"] == pytest.approx(100 * same)
    assert found["frame_teacher_KL"] == pytest.approx(divergence)
