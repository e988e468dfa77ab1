"""Latencies of students as ``tools/analysis/cost.py --json`` wrote them: all on one machine, one after the other."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from ..spec import InvalidDataError
from ..zoo import Measured

FORM = "torch"


class Latencies(NamedTuple):
    """Median milliseconds of one clip by data part, student part and parameters; and how they were measured."""

    milliseconds: dict[tuple[str, str, int], float]
    how: str

    def of(self, entry: Measured) -> float | None:
        """That of a row's student; ``None`` where nobody measured it."""
        about = entry.metadata
        return self.milliseconds.get((about["Data"], about["Student"], about["Parameters"]))


UNMEASURED = Latencies({}, "")


def read_latencies(path: Path) -> Latencies:
    """The latencies in a file; one that is none of ``tools/analysis/cost.py`` is an ``InvalidDataError``."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        lines = [line for line in found["lines"] if line["form"] == FORM]
        known = {(line["data"], line["part"], line["parameters"]): float(line["p50_ms"]) for line in lines}
        return Latencies(known, _how(found))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidDataError(
            f"{path} holds no latencies ({type(error).__name__}: {error}); "
            f"make it with tools/analysis/cost.py ROW... --json {path}"
        ) from error


def _how(found: dict[str, Any]) -> str:
    threads = f"{found['threads']} {'thread' if found['threads'] == 1 else 'threads'}"
    return (
        f"median of one clip at a time, {threads} of {found['machine']}, {found['clock']} clock, "
        f"torch {found['packages']['torch']}, {found['date']}"
    )
