"""Ranks of methods over several settings, and which of them a test can tell apart."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

FEWEST_BLOCKS = 5
LEVEL = 0.05
_REMEDY = "pip install 'kdbench[report]'"
Scores = Mapping[tuple[str, str], float]  # (method, block) -> score


def ranks(scores: Scores) -> dict[str, Any]:
    """Mean ranks of the methods that share blocks, Friedman's p, and groups that Wilcoxon-Holm cannot tell apart.

    With fewer than five shared blocks there is only a ``"message"``.
    """
    methods, blocks = shared(scores)
    if len(blocks) < FEWEST_BLOCKS or len(methods) < 2:
        return {"message": _too_few(methods, blocks)}
    table = np.array([[scores[method, block] for block in blocks] for method in methods])
    try:
        friedman, pairwise = tests(table)
    except ImportError as error:
        return {"message": f"A critical-difference diagram needs scikit-posthocs ({error}); {_REMEDY}"}
    mean_ranks = _ranked(table).mean(1)
    order = [int(place) for place in np.argsort(mean_ranks, kind="stable")]
    return {
        "methods": [methods[place] for place in order],
        "ranks": [round(float(mean_ranks[place]), 3) for place in order],
        "blocks": list(blocks),
        "friedman": friedman,
        "pairwise": pairwise[np.ix_(order, order)].round(4).tolist(),
        "groups": alike(pairwise[np.ix_(order, order)]),
        "level": LEVEL,
    }


def _too_few(methods: Sequence[str], blocks: Sequence[str]) -> str:
    return (
        f"Too few blocks for a critical-difference diagram: {len(methods)} methods share {len(blocks)} settings; "
        f"{FEWEST_BLOCKS} are needed."
    )


def shared(scores: Scores) -> tuple[list[str], list[str]]:
    """The methods with most blocks that still leave ``FEWEST_BLOCKS``, or cost none, and the blocks of all of them.

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
        if len(common & blocks_of[method]) >= min(FEWEST_BLOCKS, len(common)):
            kept.append(method)
            common &= blocks_of[method]
    return sorted(kept), sorted(common)


def tests(table: np.ndarray) -> tuple[float | None, np.ndarray]:
    """Friedman's p (``None`` of two methods) and Wilcoxon-Holm's for each pair, of scores (methods, blocks).

    The seam: everything that the report knows of tests comes from here.
    """
    import scikit_posthocs
    import scipy.stats

    with np.errstate(invalid="ignore"):  # methods that are alike everywhere give 0 / 0, which is no p
        friedman = float(scipy.stats.friedmanchisquare(*table).pvalue) if len(table) > 2 else None
    pairwise = scikit_posthocs.posthoc_wilcoxon(table, zero_method="zsplit", p_adjust="holm")
    return friedman, pairwise.to_numpy()


def _ranked(table: np.ndarray) -> np.ndarray:
    """Ranks within each block, 1 is best, ties share their mean."""
    import scipy.stats

    ranked: np.ndarray = scipy.stats.rankdata(-table, axis=0)
    return ranked


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
