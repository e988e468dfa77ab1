"""Scores of each view and without some input, against scikit-learn."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kdbench.evaluation import EachOf
from tests.test_evaluation.test_mean_ap import by_sklearn

CLIPS, FRAMES, CLASSES = 8, 5, 3


def rows(seed: int, cases: int, column: str, frames: bool = True) -> list[dict]:
    rng = torch.Generator().manual_seed(seed)
    made = {
        "index": torch.arange(CLIPS),
        "target": (torch.rand(CLIPS, CLASSES, generator=rng) < 0.5).float(),
        f"{column}_score": (torch.rand(CLIPS, cases, CLASSES, generator=rng) * 4).round() / 4,
    }
    if frames:
        truth = (torch.rand(CLIPS, FRAMES, CLASSES, generator=rng) < 0.5).float()
        truth[::3, -2:] = -1  # the padding of short clips
        made["frame_target"] = truth
        made[f"{column}_frame_score"] = torch.rand(CLIPS, cases, FRAMES, CLASSES, generator=rng)
    return [{name: values[i] for name, values in made.items()} for i in range(CLIPS)]


def evaluated(metric: EachOf, samples: list[dict]) -> dict[str, float]:
    metric.process({}, samples)
    return metric.evaluate(len(samples))


def stacked(samples: list[dict], name: str):
    return torch.stack([sample[name] for sample in samples]).numpy()


@settings(deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 4))
def test_each_view_has_scikit_learns_precision_of_clips_and_frames(seed: int, views: int) -> None:
    samples = rows(seed, views, "view")
    found = evaluated(EachOf({"type": "MeanAP"}), samples)
    target, truth = stacked(samples, "target"), stacked(samples, "frame_target").reshape(-1, CLASSES)
    known = truth[:, 0] >= 0
    assert len(found) == 4 * views
    for view in range(views):
        score = stacked(samples, "view_score")[:, view]
        frames = stacked(samples, "view_frame_score")[:, view].reshape(-1, CLASSES)
        expected = {
            "mAP_C": by_sklearn(score.T, target.T),
            "mAP_S": by_sklearn(score, target),
            "frame_mAP": by_sklearn(frames[known].T, truth[known].T),
        }
        for name, value in expected.items():
            assert found[f"view_{view}/{name}"] == pytest.approx(100 * value, nan_ok=True)


def test_frames_are_optional_and_names_may_be_given() -> None:
    samples = rows(0, 2, "without", frames=False)
    metric = EachOf({"type": "MeanAP"}, column="without", names=["no_sound", "no_view"])
    assert {name.split("/")[0] for name in evaluated(metric, samples)} == {"no_sound", "no_view"}
    assert not any("frame" in name for name in evaluated(metric, samples))
    wrong = EachOf({"type": "MeanAP"}, column="without", names=["no_sound"])
    with pytest.raises(ValueError, match="1 names of scores; there is: 2"):
        evaluated(wrong, samples)


def test_one_label_a_clip_is_counted_too() -> None:
    score = torch.tensor([[[0.9, 0.1], [0.2, 0.8]], [[0.6, 0.4], [0.3, 0.7]]])
    samples = [{"index": i, "target": torch.tensor(0), "view_score": score[i]} for i in range(2)]
    found = evaluated(EachOf({"type": "TopK", "topk": (1,)}), samples)
    assert found == {"view_0/top1": 100.0, "view_1/top1": 0.0}


def test_networks_without_views_get_no_such_scores() -> None:
    samples = [{"index": i, "target": torch.ones(CLASSES), "score": torch.rand(CLASSES)} for i in range(3)]
    assert evaluated(EachOf({"type": "MeanAP"}), samples) == {}


def test_scores_of_views_that_are_absent_do_not_count() -> None:
    targets = torch.tensor([0, 1, 2, 0])
    right, wrong = torch.eye(CLASSES)[targets], torch.eye(CLASSES)[(targets + 1) % CLASSES]
    score = torch.stack((right, torch.where(torch.tensor([1, 0, 1, 0])[:, None] > 0, right, wrong), wrong), 1)
    shown = torch.tensor([[1, 1, 0], [1, 0, 0], [1, 1, 0], [1, 1, 0]], dtype=torch.bool)
    samples = [
        {"index": torch.tensor(i), "target": targets[i], "view_score": score[i], "view_shown": shown[i]}
        for i in range(4)
    ]
    found = evaluated(EachOf({"type": "TopK", "topk": (1,)}), samples)
    assert found == {"view_0/top1": 100.0, "view_1/top1": pytest.approx(200 / 3)}
