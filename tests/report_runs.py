"""Folders of runs in the real layout, by the engine's own writers: what a leaderboard reads, without training."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
import yaml

from kdbench.atomic import write_text
from kdbench.engine.record import save_predictions, write_result
from kdbench.records import run_id
from tests.test_records.made import record

STEPS = 14  # an epoch


def write_run(root: Path, row: str, seed: int, /, *, accuracy: float = 0.8, **changes: Any) -> Path:
    """A run of ``row``; ``changes`` overwrite what its result says, dotted (``repro__git_dirty=True``) or whole.

    ``classes``, ``clips``, ``epochs`` and ``several`` (labels a clip) set its size, ``teacher`` the folder of the run
    that taught it.
    """
    size = {key: changes.pop(key, value) for key, value in _SIZE.items()}
    teacher = changes.pop("teacher", None)
    folder = root / row / f"seed{seed}"
    folder.mkdir(parents=True)
    outputs = predictions(seed, accuracy, size["classes"], size["clips"], size["several"])
    result = _result(row, seed, outputs, size, teacher)
    result["predictions"] = save_predictions(folder / "predictions.safetensors", outputs)
    write_result(folder, result)
    if changes:  # whatever they are: a reader of folders meets records that no writer of ours made
        for name, value in changes.items():
            _set(result, name.split("__"), value)
        result["run_id"] = run_id(result)
        write_text(folder / "result.yml", yaml.safe_dump(result))
    write_text(folder / "history.json", json.dumps(history(size["epochs"], result["primary"])))
    write_text(folder / "row.py", f"seed = {seed}\nmodel = dict(type='Distillation')\n")
    return folder


_SIZE = {"classes": 4, "clips": 40, "epochs": 6, "several": False}


def predictions(seed: int, accuracy: float, classes: int, clips: int, several: bool) -> list[dict[str, Any]]:
    """What the network said of each clip: right with this probability."""
    draw = torch.Generator().manual_seed(1000 * seed + round(1000 * accuracy))
    target = torch.arange(clips) % classes
    right = torch.rand(clips, generator=draw) < accuracy
    logits = torch.randn(clips, classes, generator=draw)
    logits[torch.arange(clips), torch.where(right, target, (target + 1) % classes)] += 6.0
    score = logits.sigmoid() if several else logits.softmax(1)
    labels = torch.nn.functional.one_hot(target, classes).float() if several else target
    return [{"score": score[i], "index": i, "target": labels[i]} for i in range(clips)]


def history(epochs: int, primary: str) -> dict[str, list[float]]:
    """Losses of every step and a validation every second epoch."""
    steps = epochs * STEPS
    at = list(range(2, epochs + 1, 2))
    return {
        "train/loss": [4.0 / (1 + step / STEPS) for step in range(steps)],
        f"val/{primary}": [50.0 + epoch for epoch in at],
        "val/epoch": [float(epoch) for epoch in at],
    }


def _result(
    row: str, seed: int, outputs: list[dict[str, Any]], size: dict[str, Any], teacher: Path | None
) -> dict:
    primary = "mAP_C" if size["several"] else "top1"
    result = record(row, seed)
    changes = {
        "config__parts": _parts(row.startswith("baseline/")),
        "epochs": size["epochs"],
        "steps": size["epochs"] * STEPS,
        "primary": primary,
        "metrics": {primary: _right(outputs), "ECE": 5.0},
        "student__type": "Net",
        "student__sha256": _hash(row, seed),
        "train__wall_seconds": 30.0,
        "train__cpu_seconds": 20.0 + len(row),
        "repro__command": f"python tools/train.py configs/{row}.py --seed {seed}",
        "repro__created_utc": f"2026-11-21T08:00:{seed:02d}+00:00",
        **{f"data__{name}": value for name, value in _data(size).items()},
    }
    if result["teacher"]:
        changes |= {"teacher__params": 900_000, "teacher__origins": _origins(teacher, primary)}
    for name, value in changes.items():
        _set(result, name.split("__"), value)
    return result


def _hash(row: str, seed: int) -> str:
    return hashlib.sha256(f"{row} {seed}".encode()).hexdigest()


def _parts(is_lone: bool) -> dict[str, str]:
    return {"data": "toy", "student": "small", **({} if is_lone else {"teacher": "large", "distiller": "kd"})}


def _data(size: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": "Toy",
        "protocol": "fixed",
        "task": "multi-label" if size["several"] else "single-label",
        "num_classes": size["classes"],
        "num_test": size["clips"],
        "num_train": 100,
        "num_labelled": 100,
    }


def _right(outputs: list[dict[str, Any]]) -> float:
    """Per cent of clips whose best class is theirs."""
    hits = [
        int(output["score"].argmax())
        == int(torch.as_tensor(output["target"]).argmax() if output["target"].dim() else output["target"])
        for output in outputs
    ]
    return 100 * sum(hits) / len(hits)


def _origins(teacher: Path | None, primary: str) -> list[dict[str, Any]]:
    if teacher is None:
        return []
    row, seed = "/".join(teacher.parts[-3:-1]), int(teacher.name.removeprefix("seed"))
    return [
        {
            "path": str(teacher),
            "sha256": _hash(row, seed),
            "row": row,
            "seed": seed,
            "metrics": {primary: 95.0},
        }
    ]


def _set(tree: dict[str, Any], path: list[str], value: Any) -> None:
    for key in path[:-1]:
        tree = tree[key]
    tree[path[-1]] = value
