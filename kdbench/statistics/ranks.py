"""Many methods over many blocks: Friedman's test, then Wilcoxon's with Holm's correction, and the diagram of both."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from ..compat import load_posthocs

MIN_BLOCKS = 5
Scores = Mapping[
    str, Mapping[str, float]
]  # block (data set, student, ...) -> method -> score, higher is better


class Ranking(NamedTuple):
    """Methods by their mean rank over blocks; ``p`` is Friedman's, ``pairs`` Wilcoxon-Holm's (None: too few blocks)."""

    mean_ranks: dict[str, float]
    blocks: tuple[str, ...]
    p: float | None
    pairs: dict[tuple[str, str], float] | None

    @property
    def in_words(self) -> str:
        """One or two sentences for a reader."""
        if self.pairs is None:
            return f"too few blocks for a critical-difference diagram: {len(self.blocks)} of {MIN_BLOCKS}"
        found = "" if self.p is None else f"Friedman: p = {self.p:.2g} over {len(self.blocks)} blocks. "
        apart = [f"{one} and {other} ({p:.2g})" for (one, other), p in self.pairs.items() if p < 0.05]
        return f"{found}Wilcoxon-Holm tells apart: {', '.join(apart) or 'no pair'}."


def ranking(scores: Scores) -> Ranking:
    """Rank the methods that every block has; with fewer than five blocks there are mean ranks, and no test.

    A single method, or blocks without a common one, are a ``ValueError``.
    """
    blocks = tuple(scores)
    shared = [m for m in scores[blocks[0]] if all(m in scores[b] for b in blocks)] if blocks else []
    if len(shared) < 2:
        raise ValueError(f"ranks need two methods in every block; there is: {', '.join(shared) or 'none'}")
    table = np.array([[scores[block][method] for method in shared] for block in blocks])
    ranks = stats.rankdata(-table, axis=1).mean(0)
    ordered = dict(sorted(zip(shared, ranks.tolist(), strict=True), key=lambda pair: (pair[1], pair[0])))
    if len(blocks) < MIN_BLOCKS:
        return Ranking(ordered, blocks, None, None)
    with np.errstate(invalid="ignore"):  # methods that are alike everywhere give 0 / 0, which is no p
        p = float(stats.friedmanchisquare(*table.T).pvalue) if len(shared) > 2 else None
    return Ranking(ordered, blocks, p, _wilcoxon_holm(table, shared))


def _wilcoxon_holm(table: np.ndarray, methods: Sequence[str]) -> dict[tuple[str, str], float]:
    """The corrected p of each pair; a pair that is equal in every block has 1."""
    found = load_posthocs().posthoc_wilcoxon(table.T, zero_method="zsplit", p_adjust="holm").to_numpy()
    return {
        (one, other): float(found[i, j])
        for i, one in enumerate(methods)
        for j, other in enumerate(methods)
        if i < j
    }


def critical_difference_diagram(found: Ranking, path: str | Path) -> None:
    """Draw mean ranks, with bars over methods that are not told apart, as ``.svg`` or ``.png``.

    Too few blocks are a ``ValueError`` in the words of ``Ranking.in_words``: there is nothing to draw.
    """
    if found.pairs is None:
        raise ValueError(found.in_words)
    posthocs = load_posthocs()
    import matplotlib
    import pandas
    from matplotlib.figure import Figure

    methods = list(found.mean_ranks)
    matrix = pandas.DataFrame(1.0, index=methods, columns=methods)
    for (one, other), p in found.pairs.items():
        matrix.loc[one, other] = matrix.loc[other, one] = p
    # A hash salt and no date: the same ranking gives the same file.
    with matplotlib.rc_context({"svg.hashsalt": "kdbench", "svg.fonttype": "none"}):
        figure = Figure(figsize=(9, 1.5 + 0.22 * len(methods)), layout="constrained")
        posthocs.critical_difference_diagram(
            found.mean_ranks,
            matrix,
            ax=figure.add_subplot(),
            label_fmt_left="{label} ({rank:.2f})",
            label_fmt_right="({rank:.2f}) {label}",
            color_palette=dict.fromkeys(methods, "#0072B2"),  # one colour: position says everything
            crossbar_props={"color": "#000000", "linewidth": 3},
        )
        figure.savefig(path, metadata=_no_date(Path(path)), dpi=150)


def _no_date(path: Path) -> dict[str, Any]:
    return {"Date": None} if path.suffix == ".svg" else {}
