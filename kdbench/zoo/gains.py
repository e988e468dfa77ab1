"""The gain of one row over another: pairs of seeds, what speaks against chance, and how it stands in a table."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..statistics import budget_differences, holm, paired_t, student_interval
from .measured import NOT_RUN, Measured

OVER_SEEDS = "t"  # behind what was computed from seeds alone
OTHER_PRECISION = "¶"  # behind a gain


class Gain(NamedTuple):
    """The mean difference over the seeds that both have; ``p`` is None where it cannot be known.

    ``over_seeds`` says that interval and ``p`` are Student's, of seeds on the clips as they are; else they are of the
    hierarchical bootstrap, which the metafile keeps.
    """

    value: float
    low: float | None
    high: float | None
    p: float | None
    wins: int
    seeds: int
    over_seeds: bool
    budget: tuple[str, ...]  # how the budgets differ
    one_precision: bool = True

    @property
    def text(self) -> str:
        """The difference with its sign, marked where the two did not compute in one precision."""
        return f"{self.value:+.1f}{'' if self.one_precision else OTHER_PRECISION}"


def gain(entry: Measured, other: Measured) -> Gain | None:
    """The gain of ``entry`` over ``other``; None where no seed is in both.

    What the metafile keeps counts as long as the other row's students are those that it was computed with.
    """
    differences = list(seed_differences(entry.values, other.values).values())
    if not differences:
        return None
    seeds = len(differences)
    mean, wins = sum(differences) / seeds, sum(difference > 0 for difference in differences)
    terms = tuple(budget_differences(entry.budget, other.budget)), is_one_precision(entry, other)
    for kept in entry.result.get("Paired", ()):
        if kept["Against"] == other.name and kept["Students"] == other.fingerprints:
            low, high = kept["Interval"]
            return Gain(mean, low, high, kept["P"], wins, seeds, False, *terms)
    low, high = student_interval(differences) or (None, None)
    return Gain(mean, low, high, paired_t(differences), wins, seeds, True, *terms)


def seed_differences(ours: Mapping[int, float], theirs: Mapping[int, float]) -> dict[int, float]:
    """What is ahead by how much, by seed, where both have one."""
    return {seed: ours[seed] - theirs[seed] for seed in ours if seed in theirs}


def is_one_precision(entry: Measured, other: Measured) -> bool:
    """Whether both rows computed in one precision."""
    return bool(entry.metadata["Precision"] == other.metadata["Precision"])


def gain_texts(gains: Sequence[Gain | None]) -> list[str]:
    """The cells of one column: gain, seeds won, and p corrected by Holm's rule for the gains of equal budget.

    >>> gain_texts([Gain(1.5, 0.2, 2.8, 0.01, 3, 3, False, ()), Gain(1.0, -1.0, 3.0, 0.2, 2, 3, True, ()), None])
    ['+1.5 (3/3; p 0.020)', '+1.0 (2/3; p 0.20 t)', '–']
    """
    counted = [None if one is None or one.budget else one.p for one in gains]
    return [NOT_RUN if one is None else _text(one, p) for one, p in zip(gains, holm(counted), strict=True)]


def _text(one: Gain, p: float | None) -> str:
    said = "; other budget" if one.budget else "" if p is None else f"; p {p_text(p)}"
    seeds_only = f" {OVER_SEEDS}" if p is not None and one.over_seeds else ""
    return f"{one.text} ({one.wins}/{one.seeds}{said}{seeds_only})"


def p_text(p: float) -> str:
    """A p value with two figures behind the point, small ones as a bound.

    >>> p_text(0.2), p_text(0.0123), p_text(0.0004)
    ('0.20', '0.012', '<0.001')
    """
    if p < 0.001:
        return "<0.001"
    return f"{p:.3f}" if p < 0.0995 else f"{p:.2f}"
