"""The time of long videos: 2.5 steps a second, T of them in a sample, labels by step.

As the loaders of MultiASL, MMASL and MultiTSF do (their ``dataset/mm_dataset.py``).
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np


class Interval(NamedTuple):
    """An action in a recording: its class by name, start and end in seconds."""

    label: str
    start: float
    end: float


def stride(native_fps: float, fps: float) -> int:
    """Every how many frames of a video a step is.

    >>> stride(29.97, 2.5), stride(20.04, 2.5)
    (12, 8)
    """
    return max(round(native_fps / fps), 1)


def num_steps(frames: int, every: int) -> int:
    """How many steps a video of so many frames has.

    >>> num_steps(61, 12)
    6
    """
    return math.ceil(frames / every)


def uniform_steps(length: int, count: int) -> np.ndarray:
    """``count`` of ``length`` steps, evenly spread: ``floor(i * length / count)``, ``(count,)`` int64.

    >>> uniform_steps(10, 4)
    array([0, 2, 5, 7])
    """
    return np.arange(count) * length // count


def stretch_steps(length: int, count: int, within: np.ndarray | float) -> np.ndarray:
    """One of ``length`` steps from each of ``count`` equal stretches that do not overlap, ``(count,)`` int64.

    ``within`` are places in the stretches from 0 up to 1, ``(count,)`` or one for all. Steps may come twice only where
    two stretches share one: if ``length`` is no multiple of ``count``, or smaller.

    >>> stretch_steps(12, 4, 0.5), stretch_steps(2, 4, 0.0)
    (array([ 1,  4,  7, 10]), array([0, 0, 1, 1]))
    """
    number = np.arange(count)
    ends = -((number + 1) * -length // count)
    # A place next to 1 is rounded to the beginning of the following stretch.
    return np.minimum(((number + within) * length / count).astype(np.int64), ends - 1)


def random_steps(length: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """``count`` of ``length`` steps as MultiASL's loader draws them, each from its own part, ``(count,)`` int64.

    Step i is drawn from ``floor(i * length / count)`` to ``floor((i + 1) * length / count)``, both included, the last
    one up to ``length - 1``; all steps in order if there are as many as are wanted. Steps may come twice.
    """
    if length == count:
        return np.arange(count)
    edges = np.arange(count + 1) * length // count
    low, high = edges[:-1], np.minimum(edges[1:], length - 1)
    return rng.integers(low, high + 1)


def frame_labels(
    intervals: Iterable[Interval], classes: Sequence[str], steps: np.ndarray, fps: float
) -> np.ndarray:
    """Which classes hold at each of the steps, ``(T, K)`` float32 of zeros and ones.

    An interval covers the steps ``round(start * fps)`` to ``round(end * fps)``, both included. Each class has its own
    intervals (in MultiASL's code all classes of a recording share one list). Unknown classes are left out.

    >>> frame_labels([Interval("sit", 0.4, 1.2)], ["sit", "eat"], np.arange(5), fps=2.5)[:, 0]
    array([0., 1., 1., 1., 0.], dtype=float32)
    """
    labels = np.zeros((len(steps), len(classes)), dtype=np.float32)
    for interval in intervals:
        if interval.label in classes:
            holds = (round(interval.start * fps) <= steps) & (steps <= round(interval.end * fps))
            labels[holds, classes.index(interval.label)] = 1.0
    return labels


def sequence_labels(names: Iterable[str], classes: Sequence[str]) -> np.ndarray:
    """Which classes occur, ``(K,)`` float32 of zeros and ones; unknown ones are left out."""
    labels = np.zeros(len(classes), dtype=np.float32)
    labels[[classes.index(name) for name in names if name in classes]] = 1.0
    return labels
