"""A metric over resampled recordings: whole recordings are drawn with replacement, the same for every network."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..records import Predictions
from .measures import RANKED, checked, clip_values, ranked_metric

Array = NDArray[np.floating]


def recordings(predictions: Predictions) -> NDArray[np.int64]:
    """The recording of each clip as a number from 0, ``(N,)``; without groups each clip is a recording of its own."""
    if predictions.group is None:
        return np.arange(len(predictions.index))
    numbers: NDArray[np.int64] = np.unique(predictions.group, return_inverse=True)[1]
    return numbers


def same_clips(networks: Sequence[Predictions]) -> None:
    """Refuse predictions that are not of the same clips with the same labels and recordings."""
    first = networks[0]
    for other in networks[1:]:
        for name in ("index", "target", "group"):
            one, two = getattr(first, name), getattr(other, name)
            if (one is None) != (two is None) or (one is not None and not np.array_equal(one, two)):
                raise ValueError(
                    f"{first.source} and {other.source} are not of the same clips: their column '{name}' differs"
                )


def resampled(metric: str, networks: Sequence[Predictions], resamples: int = 2000, seed: int = 0) -> Array:
    """The metric of each network on each set of recordings that was drawn, ``(resamples, networks)``.

    All networks see the same draws, so that columns can be subtracted. A metric that is a mean over clips is
    computed from how often each distinct recording was drawn: recordings on which all networks did the same are one
    outcome of a multinomial draw. A ranking is computed with a weight for each clip.
    """
    same_clips(networks)
    rng = np.random.default_rng(seed)
    group = recordings(networks[0])
    if checked(metric, networks[0]) in RANKED:
        count = int(group.max()) + 1
        drawn = rng.multinomial(count, np.full(count, 1 / count), size=resamples)
        weight = drawn.astype(np.float32)[:, group]
        return np.stack([ranked_metric(metric, network, weight) for network in networks], axis=1)
    return _means(metric, networks, group, resamples, rng)


def _means(
    metric: str,
    networks: Sequence[Predictions],
    group: NDArray[np.int64],
    resamples: int,
    rng: np.random.Generator,
) -> Array:
    pairs = [clip_values(metric, network) for network in networks]
    columns = [*(values for values, _ in pairs), pairs[0][1]]
    sums = np.stack([np.bincount(group, weights=column) for column in columns], axis=1)
    distinct, times = np.unique(sums, axis=0, return_counts=True)
    drawn = rng.multinomial(len(sums), times / len(sums), size=resamples) @ distinct
    means: Array = drawn[:, :-1] / np.maximum(drawn[:, -1:], 1)
    return means
