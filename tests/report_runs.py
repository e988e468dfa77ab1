"""Folders of runs in the real layout, by the engine's own writers: what a leaderboard reads, without training."""

import json
from pathlib import Path
from typing import Any

import torch

from kdbench.engine.checkpoint import write_text
from kdbench.engine.record import save_predictions, write_result

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
    for name, value in changes.items():
        _set(result, name.split("__"), value)
    write_result(folder, result)
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
    is_lone = row.startswith("baseline/")
    primary = "mAP_C" if size["several"] else "top1"
    return {
        "schema_version": 1,
        "row": row,
        "status": "ok",
        "config": _config(row, is_lone),
        "seed": seed,
        "data": _data(size, is_lone),
        "epochs": size["epochs"],
        "steps": size["epochs"] * STEPS,
        "primary": primary,
        "metrics": {primary: _right(outputs), "ECE": 5.0},
        "selected": None,
        "teacher": None
        if is_lone
        else {"type": "Net", "params": 900_000, "origins": _origins(teacher, primary)},
        "student": {
            "type": "Net",
            "params": 298_027,
            "gflops": 0.0146,
            "input_shapes": {"inertial": [128, 6]},
            "sha256": f"{row} {seed}",
        },
        "distiller": None if is_lone else "KD",
        "start": None,
        "train": {"wall_seconds": 30.0, "cpu_seconds": 20.0 + len(row)},
        "environment": {
            "device_name": "cpu",
            "threads": 1,
            "precision": "float32",
            "packages": {"torch": "2.13.0"},
        },
        "repro": {
            "git_commit": "abc",
            "git_dirty": False,
            "command": f"python tools/train.py configs/{row}.py --seed {seed}",
            "created_utc": f"2026-11-21T08:00:{seed:02d}+00:00",
        },
    }


def _config(row: str, is_lone: bool) -> dict[str, Any]:
    taught = {} if is_lone else {"teacher": "large", "distiller": "kd"}
    return {
        "path": f"configs/{row}.py",
        "parts": {"data": "toy", "student": "small", **taught},
        "swapped": {},
        "options": {},
        "smoke": False,
        "sha256": "c0ffee",
        "lone_student": None,
    }


def _data(size: dict[str, Any], is_lone: bool) -> dict[str, Any]:
    return {
        "name": "Toy",
        "protocol": "fixed",
        "labels": "all",
        "teacher_labels": None if is_lone else "all",
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
            "sha256": f"{row} {seed}",
            "row": row,
            "seed": seed,
            "metrics": {primary: 95.0},
        }
    ]


def _set(tree: dict[str, Any], path: list[str], value: Any) -> None:
    for key in path[:-1]:
        tree = tree[key]
    tree[path[-1]] = value
