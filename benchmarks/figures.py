"""What a benchmark gives: ours beside a bound or a peer, their ratio and its target."""

import statistics
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from .interleaved import Ratio, ratio


class Figure(NamedTuple):
    """One line of the table.

    ``ratio`` is to be at most ``target``, or with ``at_least`` at least that; without a target it is only told.
    """

    name: str
    ours: str
    against: str
    ratio: Ratio
    target: float | None = None
    at_least: bool = False

    @property
    def met(self) -> bool | None:
        """Whether the median keeps to the target."""
        if self.target is None:
            return None
        return self.ratio.median >= self.target if self.at_least else self.ratio.median <= self.target

    @property
    def cells(self) -> list[str]:
        """The line as text; ratios have three digits."""
        goal = (
            "" if self.target is None else f"{'at least' if self.at_least else 'at most'} {self.target:.3g}"
        )
        said = {None: "", True: "met", False: "missed"}[self.met]
        return [self.name, self.ours, self.against, str(self.ratio), goal, said]


HEADER = ("what", "ours", "bound or peer", "ratio", "target", "")
Seconds = Mapping[str, list[float]]
Figures = Iterable[Figure | str]  # a string is a note: what was left out, and why


def cost(name: str, seconds: Seconds, ours: str, against: str, target: float | None = None) -> Figure:
    """How many times as long ours takes."""
    return Figure(name, *_shown(seconds, ours, against), ratio(seconds, ours, against), target)


def gain(
    name: str, seconds: Seconds, ours: str, against: str, target: float | None = None, note: str = ""
) -> Figure:
    """How many times as long the other takes; ``note`` says more of the other."""
    mine, other = _shown(seconds, ours, against)
    return Figure(name, mine, other + note, ratio(seconds, against, ours), target, at_least=True)


def exact(name: str, ours: str, against: str, value: float, target: float) -> Figure:
    """A ratio that does not vary, such as one of bytes."""
    return Figure(name, ours, against, Ratio(value, value, value), target)


def _shown(seconds: Seconds, *names: str) -> list[str]:
    return [f"{name} {duration(statistics.median(seconds[name]))}" for name in names]


def duration(seconds: float) -> str:
    """Seconds with three digits and a unit.

    >>> duration(0.04123), duration(2e-6), duration(75.0)
    ('41.2 ms', '2 us', '75 s')
    """
    unit, size = next(((u, s) for u, s in (("s", 1.0), ("ms", 1e-3)) if seconds >= s), ("us", 1e-6))
    return f"{seconds / size:.3g} {unit}"


def as_json(figure: Figure) -> dict[str, Any]:
    """A figure as data."""
    return {**figure._asdict(), "ratio": list(figure.ratio), "met": figure.met}


def from_json(data: Mapping[str, Any]) -> Figure:
    """What ``as_json`` was given.

    >>> figure = exact("bytes", "1.1 MB", "payload 1.0 MB", 1.1, 1.05)
    >>> from_json(as_json(figure)) == figure, figure.met
    (True, False)
    """
    return Figure(**{**{k: v for k, v in data.items() if k != "met"}, "ratio": Ratio(*data["ratio"])})
