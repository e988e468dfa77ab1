"""Resampling recordings against a loop that draws clips and computes the metric each time: equal first, then time."""

import time

import numpy as np
import pytest
import torch

from kdbench.evaluation import mean_average_precision
from kdbench.records import Predictions
from kdbench.statistics import resampled

CLIPS, CLASSES, RESAMPLES = 5000, 16, 10_000
LOOPED = {"top1": 200, "mAP_C": 20}  # resamples that the loop does; its time is scaled up
BOUND = {"top1": 50, "mAP_C": 5}


def made(metric: str) -> Predictions:
    rng = np.random.default_rng(0)
    score = rng.random((CLIPS, CLASSES)).astype(np.float32)
    several = (rng.random(score.shape) < score**2).astype(np.int64)
    target = several if metric == "mAP_C" else np.where(rng.random(CLIPS) < 0.8, score.argmax(1), 0)
    return Predictions(score, target, np.arange(CLIPS))


def looped(metric: str, clips: Predictions, resamples: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    values = []
    for _ in range(resamples):
        drawn = rng.integers(0, CLIPS, CLIPS)
        score, target = clips.score[drawn], clips.target[drawn]
        pair = torch.from_numpy(score), torch.from_numpy(target)
        values.append(
            (score.argmax(1) == target).mean() if metric == "top1" else mean_average_precision(*pair).item()
        )
    return 100 * np.array(values)


@pytest.mark.parametrize("metric", BOUND)
def test_bootstrap(benchmark, metric: str) -> None:
    clips, resamples = made(metric), RESAMPLES if metric == "top1" else 500
    begin = time.process_time()
    slow = looped(metric, clips, LOOPED[metric])
    middle = time.process_time()
    fast = benchmark.pedantic(resampled, args=(metric, [clips], resamples), rounds=1)[:, 0]
    end = time.process_time()
    assert abs(fast.mean() - slow.mean()) < 4 * slow.std() / LOOPED[metric] ** 0.5
    ratio = (middle - begin) / LOOPED[metric] / ((end - middle) / resamples)
    print(f"\n{metric}, {CLIPS} clips: {ratio:.0f} times as fast as a loop; bound {BOUND[metric]}")
    assert ratio >= BOUND[metric]
