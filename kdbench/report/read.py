"""Runs as they lie on disk: the result of each, and the files beside it."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from ..records import read_yaml
from ..weights import file_hash

Tree = dict[str, Any]
RESULT, HISTORY = "result.yml", "history.json"
_NEEDED = ("row", "seed", "config", "data", "metrics", "primary", "student", "environment", "repro")
_LONGEST_CONFIG = 100_000  # characters of a config's text that are shown


class Run(NamedTuple):
    """One seed of a row: what it recorded, where it lies, and what a reader of its score should know."""

    folder: Path
    result: Tree
    warnings: tuple[str, ...]
    is_phase: bool = False  # of a method whose result is another row's

    @property
    def counts(self) -> bool:
        """Whether the run measured something."""
        is_measured = self.result.get("status") == "ok" and not self.result["config"].get("smoke")
        return bool(is_measured and not self.is_phase)


def read_runs(folders: Iterable[Path]) -> list[Run]:
    """Every run below the folders, by its path; a folder without one is a ``ValueError``.

    A copy of a run, which has its ``run_id``, is not a second run; what another run went on from has no result.
    """
    found: dict[Path, None] = {}
    for folder in folders:
        paths = sorted(folder.rglob(RESULT)) if folder.is_dir() else []
        if not paths:
            raise ValueError(f"{folder} holds no {RESULT}; make one with tools/train.py")
        found |= dict.fromkeys(path.parent for path in paths)
    runs: dict[str, Run] = {}
    for run in map(read_run, found):
        runs.setdefault(run.result.get("run_id") or str(run.folder), run)
    second = {start["row"]: run.result["row"] for run in runs.values() if (start := run.result.get("start"))}
    return [_as_phase(run, second.get(run.result["row"])) for run in runs.values()]


def _as_phase(run: Run, second: str | None) -> Run:
    if second is None:
        return run
    return run._replace(warnings=(*run.warnings, f"the first phase of {second}"), is_phase=True)


def read_run(folder: Path) -> Run:
    """One run; a result that cannot be read becomes a run that ended as ``unreadable``, and says why."""
    try:
        result = read_yaml(folder / RESULT)
        if not isinstance(result, dict) or "row" not in result or "status" not in result:
            raise ValueError("it says neither row nor status")
        absent = [key for key in _NEEDED if key not in result] if result["status"] == "ok" else []
        if absent:
            raise ValueError(f"it lacks {', '.join(absent)}")
    except (yaml.YAMLError, ValueError) as error:
        reason = f"{RESULT} cannot be read: {error}"
        lost = {"row": folder.parent.name, "seed": folder.name, "status": "unreadable", "reason": reason}
        return Run(folder, {**lost, "config": {}}, (reason,))
    result = {"config": {}, **result, "file": str(folder / RESULT)}
    return Run(folder, result, tuple(_warnings(folder, result)))


def _warnings(folder: Path, result: Tree) -> Iterator[str]:
    if result["status"] != "ok":
        yield f"ended as '{result['status']}': {result.get('reason', 'no reason is recorded')}"
        return
    if result["config"].get("smoke"):
        yield "a smoke run, which measures nothing"
    if result["repro"].get("git_dirty"):
        yield "measured with uncommitted changes"
    recorded = result.get("predictions") or {}
    path = folder / str(recorded.get("path", ""))
    if not path.is_file():
        yield "its predictions are not saved"
    elif file_hash(path) != recorded.get("sha256"):
        yield "its predictions are not the ones that were recorded"


def read_history(run: Run) -> dict[str, list[float]]:
    """The numbers of each step and validation; empty where they were not kept or cannot be read."""
    path = run.folder / HISTORY
    try:
        found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def config_text(run: Run) -> str:
    """The composed config that the run left beside its result; empty if there is none."""
    for path in sorted(run.folder.glob("*.py")):
        return path.read_text(encoding="utf-8", errors="replace")[:_LONGEST_CONFIG]
    return ""


def latest(runs: Sequence[Run]) -> list[Run]:
    """One run a seed, the newest: a seed that was run twice is no second seed."""
    by_seed: dict[Any, Run] = {}
    for run in sorted(runs, key=lambda run: str(run.result["repro"].get("created_utc"))):
        by_seed[run.result["seed"]] = run
    return [by_seed[seed] for seed in sorted(by_seed, key=int)]
