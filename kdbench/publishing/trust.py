"""Why a run should not be published."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

MIN_SEEDS = 3


def doubts(record: Mapping[str, Any]) -> list[str]:
    """What makes a record unreliable, in words; empty if nothing does."""
    repro, flags = record.get("repro") or {}, record.get("flags") or {}
    found = []
    if record.get("status") != "ok":
        found.append(f"the run ended as '{record.get('status')}'")
    if (record.get("config") or {}).get("smoke"):
        found.append("it is a smoke run, which measures nothing")
    if not repro.get("git_commit"):
        found.append("no commit is known that made it")
    elif repro.get("git_dirty"):
        found.append("it was made with uncommitted changes")
    if flags.get("unreliable"):
        found.append(f"its record is flagged: {flags.get('reason')}")
    return found


def num_seeds(run: Path) -> int:
    """How many seeds of the row have a result beside this run."""
    return len(list(run.resolve().parent.glob("seed*/result.yml")))
