"""One epoch of each kind of cell of which nothing is known, so that a plan can say how long it will take."""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..engine.lineage import read_result
from ..records import RESULT_FILE
from .cells import Cell
from .cost import Costs
from .engines import Engine
from .folder import Folder
from .plan import Plan
from .process import task_of

CALIBRATIONS = "calibrations"


def missing(plan: Plan, costs: Costs) -> Iterator[Cell]:
    """A cell of each kind (data, teacher, student) of which nothing is known; one that goes on from another is none."""
    kinds = set()
    for key in plan.needed:
        cell = plan.cells[key]
        kind = tuple(cell.parts.get(name) for name in ("data", "teacher", "student"))
        if costs.estimate(cell).seconds is None and kind not in kinds:
            kinds.add(kind)
            yield cell


def calibrate(plan: Plan, costs: Costs, engine: Engine, folder: Folder, tool: Path) -> list[str]:
    """Run them; what cannot be measured is left unknown, a line each."""
    cells = {str(number): cell for number, cell in enumerate(missing(plan, costs))}
    short = {key: shortened(cell, folder.path / CALIBRATIONS / key) for key, cell in cells.items()}
    waiting, running, failed = list(cells), set[str](), []
    while waiting or running:
        while waiting and len(running) < engine.jobs:
            running.add(key := waiting.pop(0))
            engine.start(key, _task(short[key], tool, folder, engine.threads))
        for key, _ in engine.ended(1.0):
            running.discard(key)
            result = read_result(Path(short[key].folder) / RESULT_FILE)
            if seconds := _seconds(result):
                costs.add_calibration(cells[key], seconds)
            else:
                failed.append(f"{cells[key]} could not be measured; see {folder.log_of(short[key])}")
    return failed


def shortened(cell: Cell, folder: Path) -> Cell:
    """The same for one epoch, in a folder of its own, its teacher random."""
    options = {**cell.options, "train_cfg.max_epochs": 1}
    if "teacher" in cell.parts:
        options["model.teacher.weights"] = "random"
    row = f"calibration/{cell.row.replace('/', '-')}"
    return dataclasses.replace(cell, row=row, options=options, folder=str(folder), sha256="", starts=())


def _task(cell: Cell, tool: Path, folder: Folder, threads: int) -> dict[str, Any]:
    task = task_of(cell, tool, folder.log_of(cell), threads)
    return {**task, "arguments": [*task["arguments"], "--work-dir", cell.folder]}


def _seconds(result: Mapping[str, Any]) -> float | None:
    return float(result["train"]["wall_seconds"]) if result.get("status") == "ok" else None
