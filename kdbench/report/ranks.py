"""Ranks of methods over several settings, and which of them a test can tell apart."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..spec import MissingPackageError
from ..statistics import MIN_BLOCKS, Ranking, ranking

LEVEL = 0.05
Scores = Mapping[tuple[str, str], float]  # (method, block) -> score


def ranks(scores: Scores) -> dict[str, Any]:
    """Mean ranks of the methods that share blocks, Friedman's p, and groups that Wilcoxon-Holm cannot tell apart.

    With fewer than five shared blocks there is only a ``"message"``.
    """
    methods, blocks = shared(scores)
    if len(blocks) < MIN_BLOCKS or len(methods) < 2:
        return {"message": _too_few(methods, blocks)}
    try:
        found = ranking({block: {method: scores[method, block] for method in methods} for block in blocks})
    except MissingPackageError as error:
        return {"message": f"A critical-difference diagram is not drawn: {error}"}
    pairwise = _pairwise(found)
    return {
        "methods": list(found.mean_ranks),
        "ranks": [round(rank, 3) for rank in found.mean_ranks.values()],
        "blocks": list(blocks),
        "friedman": found.p,
        "pairwise": pairwise.round(4).tolist(),
        "groups": alike(pairwise),
        "level": LEVEL,
    }


def _pairwise(found: Ranking) -> np.ndarray:
    """The p of each pair as a matrix, methods in the order of their ranks."""
    place = {method: i for i, method in enumerate(found.mean_ranks)}
    matrix = np.ones((len(place), len(place)))
    for (one, other), p in (found.pairs or {}).items():
        matrix[place[one], place[other]] = matrix[place[other], place[one]] = p
    return matrix


def _too_few(methods: Sequence[str], blocks: Sequence[str]) -> str:
    return (
        f"Too few blocks for a critical-difference diagram: {len(methods)} methods share {len(blocks)} settings; "
        f"{MIN_BLOCKS} are needed."
    )


def shared(scores: Scores) -> tuple[list[str], list[str]]:
    """The methods with most blocks that still leave ``MIN_BLOCKS``, or cost none, and the blocks of all of them.

    >>> shared({("a", "1"): 1.0, ("a", "2"): 1.0, ("b", "1"): 1.0})
    (['a', 'b'], ['1'])
    """
    blocks_of: dict[str, set[str]] = {}
    for method, block in scores:
        blocks_of.setdefault(method, set()).add(block)
    by_breadth = sorted(blocks_of, key=lambda method: (-len(blocks_of[method]), method))
    kept = by_breadth[:2]
    common = set.intersection(*(blocks_of[method] for method in kept)) if kept else set()
    for method in by_breadth[2:]:
        if len(common & blocks_of[method]) >= min(MIN_BLOCKS, len(common)):
            kept.append(method)
            common &= blocks_of[method]
    return sorted(kept), sorted(common)


def alike(pairwise: np.ndarray) -> list[list[int]]:
    """The longest runs (first, last) of methods in order of rank of which no pair differs at ``LEVEL``.

    >>> alike(np.array([[1, 0.5, 0.01], [0.5, 1, 0.6], [0.01, 0.6, 1]]))
    [[0, 1], [1, 2]]
    """
    found: list[list[int]] = []
    for first in range(len(pairwise)):
        last = first
        while last + 1 < len(pairwise) and (pairwise[first : last + 1, last + 1] >= LEVEL).all():
            last += 1
        if last > first and (not found or last > found[-1][1]):
            found.append([first, last])
    return found
