"""Everything that the page shows, as one tree of plain values."""

import math
from collections.abc import Sequence
from statistics import fmean
from typing import Any

import torch

from .curves import curves
from .entries import entries
from .latency import UNMEASURED, Latencies
from .predictions import (
    Predictions,
    agreement_with,
    by_class,
    read_predictions,
    reliability,
    teacher_run,
)
from .ranks import ranks
from .read import Run, Tree, config_text, read_history
from .rows import COSTS, rows, tables

LONE = "student alone"


def payload(runs: Sequence[Run], metafiles: Sequence[Tree] = (), latencies: Latencies = UNMEASURED) -> Tree:
    """Tables, rows, runs and the ranks of methods; ``runs`` that measured nothing are listed with their reasons."""
    found = entries(runs, metafiles)
    made = rows(found, latencies)
    made_tables = tables(made)
    places = {id(run.result): place for place, run in enumerate(runs)}
    saved = {place: read_predictions(run) for place, run in enumerate(runs) if run.counts}
    teachers = {run.result["student"].get("sha256"): run for run in runs if run.counts}
    named = _class_names(runs)
    for row, entry in zip(made, found, strict=True):
        own = [places[id(run.result)] for run in entry.runs]
        row["runs"] = own
        row |= _of_predictions([saved[place] for place in own])
        row["classes_named"] = named.get(row["group"][0]) if row["classes"] else None
        row["agreement"] = _agreement([runs[place] for place in own], saved, places, teachers)
        row["parts"] = _parts(row["metrics"], row["primary"])
    lines: dict[str, int] = {}
    tree: Tree = _plain(
        {
            "costs": COSTS,
            "latency": latencies.how,
            "tables": made_tables,
            "rows": made,
            "runs": [{"id": place, **_run(run, lines)} for place, run in enumerate(runs)],
            "ranks": ranks(_blocks(made)),
            "newest": max((_created(run) for run in runs), default=""),
            "lines": list(lines),
        }
    )
    return tree


def _of_predictions(saved: Sequence[Predictions | None]) -> Tree:
    """The mean over seeds of each class's score, and the calibration; nothing unless every seed has predictions."""
    known = [found for found in saved if found is not None]
    widths = {found.score.shape[1] for found in known}
    if not known or len(known) < len(saved) or len(widths) > 1:
        return {"classes": None, "calibration": None}
    mean = torch.stack([by_class(found) for found in known]).nanmean(0)
    return {"classes": [round(float(value), 1) for value in mean], "calibration": reliability(known)}


def _class_names(runs: Sequence[Run]) -> dict[str, list[str]]:
    """What the classes of each data set are called, where one of its records says so."""
    known = [run.result["data"] for run in runs if run.counts]
    return {data["name"]: list(map(str, data["classes"])) for data in known if data.get("classes")}


def _agreement(
    own: Sequence[Run], saved: dict[int, Predictions | None], places: dict[int, int], teachers: dict[str, Run]
) -> float | None:
    """The mean over seeds: as recorded, else of the saved predictions of student and teacher."""
    values = []
    for run in own:
        recorded, teacher = run.result["metrics"].get("agreement"), teacher_run(run, teachers)
        student = saved[places[id(run.result)]]
        taught = saved[places[id(teacher.result)]] if teacher else None
        if recorded is None and student and taught:
            recorded = agreement_with(student, taught)
        values.append(recorded)
    known = [float(value) for value in values if value is not None]
    return fmean(known) if known and len(known) == len(own) else None


def _parts(metrics: Tree, primary: str) -> dict[str, float]:
    """The primary score of each view alone and without a view or modality, by name: ``view_0``, ``without_audio``."""
    names = [name.rpartition("/") for name in metrics]
    return {
        part: metrics[f"{part}/{name}"]
        for part, _, name in names
        if name == primary and part.startswith(("view_", "without_"))
    }


def _blocks(made: Sequence[Tree]) -> dict[tuple[str, str], float]:
    """The score of each reliable method, and of the lone student, for each table, budget, lone student and teacher."""
    scores = {}
    for row in made:
        if row["reasons"] or row["kind"] != "distilled" or row["teacher"] is None:
            continue
        block = " · ".join([*row["group"], row["budget_text"], row["lone"], f"taught by {row['teacher']}"])
        words = [row["method"], row["difference"], _added(row["student"], row["lone"])]
        scores[" ".join(filter(None, words)), block] = row["mean"]
        if row["alone"] is not None and row["alone_epochs"] is None:
            scores[LONE, block] = row["alone"]
    return scores


def _added(student: str, lone: str) -> str:
    """What a student's name adds to that of the one it is compared with: the same words for all pairs alike.

    >>> _added("asl_vh", "asl_v"), _added("asl_v", "asl_v"), _added("pair", "cnn")
    ('+h', '', 'pair')
    """
    if student == lone:
        return ""
    return f"+{student.removeprefix(lone)}" if student.startswith(lone) else student


def _run(run: Run, lines: dict[str, int]) -> Tree:
    """A run's own page; its config is a list of numbers of lines, as most lines stand in many configs."""
    result = {key: value for key, value in run.result.items() if key != "file"}
    history = read_history(run) if run.counts else {}
    epochs = result.get("epochs") or 0
    return {
        "name": f"{result['row']} · seed {result['seed']}",
        "folder": str(run.folder),
        "counts": run.counts,
        "warnings": list(run.warnings),
        "result": result,
        "curves": curves(history, epochs, result.get("primary") or "") if history else {},
        "config": [lines.setdefault(line, len(lines)) for line in config_text(run).splitlines()],
    }


def _created(run: Run) -> str:
    return str((run.result.get("repro") or {}).get("created_utc") or "")


def _plain(value: Any) -> Any:
    """The value in terms of JSON: what is no number becomes ``None``, what is unknown its text."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)
