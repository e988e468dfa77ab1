"""Toy matrices: rows of the toy project, results of finished runs, an engine that does as it is told."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import yaml

from kdbench.engine.checkpoint import save_weights
from kdbench.matrix.cells import Cell
from kdbench.matrix.engines import Engine, Outcome
from kdbench.matrix.files import read_matrix
from kdbench.matrix.plan import Plan, judge_all, make_plan
from kdbench.weights import file_hash
from tests.toy_project import write_project

STILL = 1000  # what a task that goes on has for an exit code
STEM = "waves_wave_skeleton_wave_inertial"
KD, TEACHER, ALONE = f"wave_kd/{STEM}", "baseline/waves_wave_skeleton", "baseline/waves_wave_inertial"


def write_matrix(folder: Path, text: str, name: str = "toy") -> Path:
    """A matrix file in a toy project."""
    path = folder / "configs" / "matrices" / f"{name}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'"""A toy matrix."""\n\n{text}\n', encoding="utf-8")
    return path.relative_to(folder)


def plan_of(folder: Path, text: str, **options: Any) -> Plan:
    """The plan of a matrix with this text, its folders looked into."""
    plan = make_plan(read_matrix(write_matrix(folder, text)), **options)
    judge_all(plan)
    return plan


def finish(cell: Cell, **changes: Any) -> dict[str, Any]:
    """Leave what a run of the cell that ended well leaves, except for ``changes``."""
    folder = Path(cell.folder)
    folder.mkdir(parents=True, exist_ok=True)
    student = save_weights(folder / "student.safetensors", {"w": torch.ones(1) * cell.seed})
    predictions = save_weights(folder / "predictions.safetensors", {"score": torch.ones(1, 1)})
    origins = [{"path": path, "sha256": file_hash(path)} for path in cell.starts if Path(path).is_file()]
    result = {
        "row": cell.row,
        "status": "ok",
        "config": {"sha256": cell.sha256, "smoke": cell.smoke, "parts": dict(cell.parts)},
        "seed": cell.seed,
        "epochs": cell.epochs,
        "selected": {"epoch": 1},
        "teacher": {"origins": origins} if origins else None,
        "student": {"sha256": file_hash(student), "origins": []},
        "train": {"wall_seconds": 10.0},
        "environment": {"precision": cell.precision, "deterministic": cell.deterministic, "device": "cpu"},
        "predictions": {"path": predictions.name, "sha256": file_hash(predictions)},
        **changes,
    }
    (folder / "result.yml").write_text(yaml.safe_dump(result))
    return result


class Obedient(Engine):
    """Ends each task at the next look as ``act`` says, which may leave a result before."""

    def __init__(self, act: Callable[[Cell, int], int | None], jobs: int = 1):
        super().__init__(jobs)
        self.act, self.started = act, list[Cell]()
        self._running: dict[str, list[Cell]] = {}
        self.most = 0
        self.stops: list[bool] = []

    def start(self, key: str, task: Any) -> None:
        assert key not in self._running
        self._running[key] = cells = [Cell.from_dict(one["cell"]) for one in task.get("members", [task])]
        self.started += cells
        self.most = max(self.most, len(self._running))

    def ended(self, seconds: float) -> list[tuple[str, Outcome]]:
        """What the last of a process's cells is told to end with is how the process ends."""
        ends = {
            key: [self.act(cell, self.started.count(cell)) for cell in cells][-1]
            for key, cells in self._running.items()
        }
        over = {key: Outcome(end) for key, end in ends.items() if end != STILL}
        for key in over:
            del self._running[key]
        return list(over.items())

    def stop(self, kill: bool = False) -> None:
        self.stops.append(kill)


def events(folder: Path = Path("work_dirs/matrices/toy")) -> list[dict[str, Any]]:
    """All whole lines of a matrix's ``events.jsonl``."""
    found = []
    for line in (folder / "events.jsonl").read_text(encoding="utf-8", errors="replace").splitlines():
        with contextlib.suppress(ValueError):
            found.append(json.loads(line))
    return [event for event in found if isinstance(event, dict)]


def project(folder: Path) -> Path:
    """The toy project."""
    return write_project(folder)
