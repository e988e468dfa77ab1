"""Simulated results of seeds on clips: what the true score is, is known."""

import numpy as np
from scipy.stats import norm

from kdbench.records import Predictions


def networks(hits: np.ndarray, group: np.ndarray | None = None) -> list[Predictions]:
    """Predictions of two classes, one set a seed, that are right where ``hits`` ``(S, N)`` is true."""
    target = np.arange(hits.shape[1]) % 2
    score = np.eye(2, dtype=np.float32)[np.where(hits, target, 1 - target)]
    index = np.arange(hits.shape[1])
    return [Predictions(one, target, index, group, f"seed{seed}") for seed, one in enumerate(score)]


def draw(
    rng: np.random.Generator,
    methods: int,
    seeds: int,
    recordings: int,
    level: float,
    gain: float,
    **sd: float,
) -> tuple[np.ndarray, float, float]:
    """Hits ``(methods, S, N)`` of clips cut in two from recordings, and the true score and gain of the first method.

    A clip is right where a normal latent is above 0: ``level`` (``+ gain`` for the first method), plus a seed's own
    deviation, a recording's difficulty (shared by all), a method's own one, and noise of each seed on each clip.
    """
    shift = np.array([gain] + [0.0] * (methods - 1))
    latent = level + shift[:, None, None] + np.zeros((methods, seeds, 2 * recordings))
    latent += rng.normal(0, sd["seed"], (methods, seeds, 1))
    latent += np.repeat(rng.normal(0, sd["recording"], recordings), 2)
    latent += np.repeat(rng.normal(0, sd["method"], (methods, 1, recordings)), 2, axis=2)
    latent += rng.normal(0, 1, latent.shape)
    total = (1 + sd["seed"] ** 2 + sd["recording"] ** 2 + sd["method"] ** 2) ** 0.5
    truth = 100 * norm.cdf((level + shift) / total)
    return latent > 0, truth[0], truth[0] - truth[-1]
