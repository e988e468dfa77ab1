"""Fair ratios on a noisy machine: candidates take turns, medians are compared."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

TURN = 0.02  # seconds that a turn lasts at least where the number of calls is left open


class Ratio(NamedTuple):
    """The median over turns and its quartiles."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.3g} [{self.low:.3g}, {self.high:.3g}]"


def interleaved(
    candidates: Mapping[str, Callable[[], object]],
    rounds: int = 15,
    inner: int | None = 1,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, list[float]]:
    """Seconds a call of each candidate, ``rounds`` times, taking turns; one round more is warm-up.

    A turn is ``inner`` calls, or with ``None`` as many of each candidate as fill 20 ms. Who comes first alternates,
    because the second one finds its inputs in the cache. By default these are CPU seconds.
    """
    counts = {name: inner or _calls_a_turn(call, clock) for name, call in candidates.items()}
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    order = list(candidates)
    for turn in range(rounds + 1):
        for name in order if turn % 2 else order[::-1]:
            spent = _seconds(candidates[name], counts[name], clock)
            if turn:
                seconds[name].append(spent / counts[name])
    return seconds


def _seconds(call: Callable[[], object], times: int, clock: Callable[[], float]) -> float:
    start = clock()
    for _ in range(times):
        call()
    return clock() - start


def _calls_a_turn(call: Callable[[], object], clock: Callable[[], float]) -> int:
    """A first call may compile or allocate, so a short one is timed again."""
    spent = _seconds(call, 1, clock)
    if spent < 10 * TURN:
        spent = _seconds(call, 1, clock)
    return max(1, round(TURN / max(spent, 1e-6)))


def ratio(seconds: Mapping[str, list[float]], ours: str, bound: str) -> Ratio:
    """How many times as long ours takes as the bound, turn by turn."""
    pairs = sorted(a / b for a, b in zip(seconds[ours], seconds[bound], strict=True))
    return Ratio(statistics.median(pairs), pairs[len(pairs) // 4], pairs[-1 - len(pairs) // 4])
