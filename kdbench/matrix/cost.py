"""How long cells will take, from what runs like them took; and where each figure comes from."""

import heapq
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..records import RESULT_FILE, read_yaml
from .cells import Cell
from .plan import Plan

CALIBRATED = "a calibration"
UNKNOWN = "nothing like it has run"


class Estimate(NamedTuple):
    """Seconds of training, None where nothing is known, and what they were taken from."""

    seconds: float | None
    source: str


class Costs:
    """Measured seconds an epoch, by what a run is."""

    def __init__(self) -> None:
        self._measured: dict[tuple[str, ...], list[float]] = defaultdict(list)

    def add(self, keys: Iterable[tuple[str, ...]], seconds: float | None, epochs: int | None) -> None:
        """A run took ``seconds`` for ``epochs``."""
        if seconds and epochs:
            for key in keys:
                self._measured[key].append(seconds / epochs)

    def add_result(self, result: Mapping[str, Any]) -> None:
        """Take over what a ``result.yml`` says."""
        if result.get("status") == "ok" and result.get("train"):
            config = result["config"]
            keys = _keys(result["row"], config.get("parts") or {}, bool(config.get("smoke")))
            self.add(keys, result["train"]["wall_seconds"], result["epochs"])

    def add_metafile(self, entry: Mapping[str, Any]) -> None:
        """Take over what an entry of a metafile says."""
        about = entry.get("Metadata") or {}
        teacher = about.get("Teacher") or {}
        parts = {"data": about.get("Data"), "student": about.get("Student"), "teacher": teacher.get("Part")}
        self.add(_keys(entry["Name"], parts, False), about.get("Seconds"), about.get("Epochs"))

    def add_run(self, cell: Cell, seconds: float) -> None:
        """A cell was run from its beginning to its end, its start and its last test included."""
        self.add(_keys(cell.row, cell.parts, cell.smoke), seconds, cell.epochs)

    def add_calibration(self, cell: Cell, seconds: float) -> None:
        """An epoch of a cell like this took ``seconds``."""
        self.add([(CALIBRATED, *_pair(cell.parts, cell.smoke))], seconds, 1)

    def estimate(self, cell: Cell) -> Estimate:
        """The median of what is most like the cell."""
        keys = _keys(cell.row, cell.parts, cell.smoke)
        keys.insert(1, (CALIBRATED, *_pair(cell.parts, cell.smoke)))
        for key in keys:
            if key in self._measured and cell.epochs:
                return Estimate(statistics.median(self._measured[key]) * cell.epochs, key[0])
        return Estimate(None, UNKNOWN)


def _pair(parts: Mapping[str, Any], smoke: bool) -> tuple[str, ...]:
    return (*(str(parts.get(name)) for name in ("data", "teacher", "student")), str(smoke))


def _keys(row: str, parts: Mapping[str, Any], smoke: bool) -> list[tuple[str, ...]]:
    """What a run is, from the narrowest to the widest; the first word says it to a person."""
    of = [str(parts.get(name)) for name in ("data", "student")]
    return [
        ("the same row", row, str(smoke)),
        ("rows with the same data, teacher and student", *_pair(parts, smoke)),
        ("rows with the same data and student", *of, str(smoke)),
        ("rows with the same data", of[0], str(smoke)),
    ]


def measured(plan: Plan, configs: Path) -> Costs:
    """All that is known: the results of the plan's rows, whatever their seed, and the metafiles."""
    costs = Costs()
    for folder in dict.fromkeys(Path(cell.folder).parent for cell in plan.cells.values()):
        for path in sorted(folder.glob(f"seed*/{RESULT_FILE}")):
            costs.add_result(read_yaml(path) or {})
    for path in sorted(configs.glob("*/metafile.yml")):
        for entry in (read_yaml(path) or {}).get("Models", []):
            costs.add_metafile(entry)
    return costs


def makespan(plan: Plan, keys: Sequence[str], seconds: Mapping[str, float | None], jobs: int) -> float:
    """Seconds until all of ``keys`` are done with ``jobs`` at a time; what is unknown counts as the others' mean."""
    known = [value for value in (seconds[key] for key in keys) if value is not None]
    mean = statistics.fmean(known) if known else 0.0
    free, ends = [0.0] * jobs, dict[str, float]()
    heapq.heapify(free)
    for key in keys:  # in the plan's order each comes after those it waits for
        begin = max([heapq.heappop(free), *(ends.get(before, 0.0) for before in plan.after[key])])
        value = seconds[key]
        ends[key] = begin + (mean if value is None else value)
        heapq.heappush(free, ends[key])
    return max(ends.values(), default=0.0)


def sources(estimates: Iterable[Estimate]) -> str:
    """How many figures come from where."""
    counted = Counter(estimate.source for estimate in estimates)
    return ", ".join(
        f"{count} from {source}" if source != UNKNOWN else f"{count} unknown"
        for source, count in counted.most_common()
    )
