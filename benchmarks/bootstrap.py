"""Resampling recordings against a loop that draws clips and computes the metric each time: equal first, then time."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from kdbench.evaluation import mean_average_precision
from kdbench.records import Predictions
from kdbench.statistics import resampled

from .figures import Figures, gain

CLIPS, CLASSES = 5000, 16
RESAMPLES = {"top1": 10_000, "mAP_C": 500}
LOOPED = {"top1": 200, "mAP_C": 20}  # resamples that the loop does; times are of one
TARGETS = {"top1": 50.0, "mAP_C": 5.0}
ROUNDS = 3


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


def figures(quick: bool) -> Figures:
    """A resample of each metric."""
    for metric, target in TARGETS.items():
        clips, count, few = made(metric), RESAMPLES[metric], LOOPED[metric]
        seconds: dict[str, list[float]] = {"ours": [], "a loop": []}
        for _ in range(1 if quick else ROUNDS):
            slow = timed(seconds["a loop"], few, lambda m=metric, c=clips, n=few: looped(m, c, n))
            fast = timed(
                seconds["ours"], count, lambda m=metric, c=clips, n=count: resampled(m, [c], n)[:, 0]
            )
            if not abs(fast.mean() - slow.mean()) < 4 * slow.std() / few**0.5:
                raise AssertionError(f"{metric}: resampled {fast.mean():.4f}, by a loop {slow.mean():.4f}")
        yield gain(f"bootstrap of {metric}, {CLIPS} clips, a resample", seconds, "ours", "a loop", target)


def timed(into: list[float], count: int, call: Callable[[], Any]) -> Any:
    """What a call gives; its CPU seconds over ``count`` are appended."""
    began = time.process_time()
    found = call()
    into.append((time.process_time() - began) / count)
    return found
