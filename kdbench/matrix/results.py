"""What stands in a cell's folder: its result, its checkpoints, or those of another run."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

from ..atomic import write_text
from ..engine.checkpoint import checkpoints
from ..engine.lineage import read_result
from ..engine.optim import may_be
from ..records import RESULT_FILE
from ..weights import file_hash
from .cells import WORK_DIRS, Cell

STAMP = "cell.json"  # in a cell's folder: whose checkpoints these are
ASIDE = f"{WORK_DIRS}aside"
OPEN, BEGUN, DONE, OTHER = "open", "begun", "done", "other"


class Verdict(NamedTuple):
    """``open``, ``begun``, ``done`` or ``other``, and what the reason is where it is another run's."""

    state: str
    reason: str = ""


def judge(cell: Cell) -> Verdict:
    """What the cell's folder holds. Another run's result or checkpoints are ``other``: nothing may replace them."""
    folder = Path(cell.folder)
    result = read_result(folder / RESULT_FILE)
    if result:
        differences = list(_differences(cell, result))
        if differences:
            return Verdict(OTHER, f"{folder / RESULT_FILE} is of another run: {'; '.join(differences)}")
        return _judge_result(cell, result)
    if not folder.is_dir() or not checkpoints(folder):
        return Verdict(OPEN)
    return _judge_checkpoints(cell, folder)


def _judge_result(cell: Cell, result: Mapping[str, Any]) -> Verdict:
    """Of a result of this very cell: whole, of a run that failed, or cut off in its last test."""
    if result["status"] != "ok":
        return Verdict(BEGUN, str(result.get("reason", "")))
    missing = "; ".join(_missing(cell, result))
    if not missing:
        return Verdict(DONE)
    if checkpoints(cell.folder):
        return Verdict(BEGUN, missing)
    return Verdict(OTHER, f"{cell.folder} has a result whose files are gone: {missing}")


def _judge_checkpoints(cell: Cell, folder: Path) -> Verdict:
    try:
        stamp = json.loads((folder / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Verdict(OTHER, f"{folder} holds checkpoints of a run that no matrix started")
    present = stamp_of(cell)
    differing = [
        f"{name} {_short(stamp.get(name))}, now {_short(value)}"
        for name, value in {**dict.fromkeys(stamp), **present}.items()
        if stamp.get(name) != value
    ]
    if differing:
        return Verdict(OTHER, f"{folder} holds checkpoints of another run: {'; '.join(differing)}")
    return Verdict(BEGUN)


def stamp_of(cell: Cell) -> dict[str, Any]:
    """What a cell's checkpoints depend on, the weights that it starts from included."""
    starts = {path: file_hash(path) for path in cell.starts if Path(path).is_file()}
    names = ("sha256", "seed", "smoke", "precision", "deterministic")
    # Where the caches lie is no matter, but what a live teacher began no cached one may go on with.
    said = {**{name: getattr(cell, name) for name in names}, "starts": starts}
    return {**said, "cached": True} if cell.cache else said


def write_stamp(cell: Cell) -> None:
    """Say whose checkpoints will stand in the folder."""
    Path(cell.folder).mkdir(parents=True, exist_ok=True)
    write_text(Path(cell.folder) / STAMP, json.dumps(stamp_of(cell), indent=1) + "\n")


def _differences(cell: Cell, result: Mapping[str, Any]) -> Iterator[str]:
    """What a result says of itself that the cell does not."""
    config = result.get("config") or {}
    said = {"config hash": config.get("sha256"), "seed": result.get("seed"), "smoke": config.get("smoke")}
    wanted = {"config hash": cell.sha256, "seed": cell.seed, "smoke": cell.smoke}
    yield from (f"{k} {_short(said[k])}, now {_short(wanted[k])}" for k in wanted if said[k] != wanted[k])
    environment = result.get("environment")
    if environment is None:  # a run that diverged
        return
    if not may_be(cell.precision, environment["precision"], environment.get("device", "cpu")):
        yield f"precision {environment['precision']}, now {cell.precision}"
    if environment["deterministic"] != cell.deterministic:
        yield f"deterministic {environment['deterministic']}, now {cell.deterministic}"
    yield from _other_starts(cell, _origins(result))


def _other_starts(cell: Cell, origins: Mapping[str, str]) -> Iterator[str]:
    """Weights that the run started from and that are others by now."""
    for path in cell.starts:
        if path not in origins and cell.smoke:
            yield f"{path} was not there, its network was random"
        elif path in origins and Path(path).is_file() and file_hash(path) != origins[path]:
            yield f"{path} has changed since"


def _origins(result: Mapping[str, Any]) -> dict[str, str]:
    """Weight file -> its hash when the run read it."""
    roles = [result.get("teacher") or {}, result.get("student") or {}]
    return {origin["path"]: origin["sha256"] for role in roles for origin in role.get("origins", ())}


def _missing(cell: Cell, result: Mapping[str, Any]) -> Iterator[str]:
    """What a whole result has beside it; a run killed in its last test leaves less."""
    folder = Path(cell.folder)
    predictions = result.get("predictions") or {}
    files = {
        "student.safetensors": result["student"]["sha256"],
        predictions.get("path"): predictions.get("sha256"),
    }
    for name, digest in files.items():
        if not name or not (folder / name).is_file() or file_hash(folder / name) != digest:
            yield f"{name or 'predictions'} is not the file that the result names"
    if cell.selects and not result.get("selected"):
        yield "the epoch that validation selects was not tested"


def _short(value: Any) -> str:
    return value[:8] if isinstance(value, str) and len(value) == 64 else str(value)


def move_aside(cell: Cell) -> Path:
    """Move a folder out of the way, under the same name and the time; nothing in it changes."""
    moment = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S%f")
    source = Path(cell.folder)
    name = source.relative_to(WORK_DIRS) if source.is_relative_to(WORK_DIRS) else Path(source.name)
    target = Path(ASIDE) / name.with_name(f"{name.name}-{moment}")
    target.parent.mkdir(parents=True, exist_ok=True)
    source.rename(target)
    return target
