"""A record as a run writes it, for tests that change it."""

from typing import Any

from kdbench.records import SCHEMA_VERSION, run_id

HASH = "c0ffee" + 58 * "0"


def network(kind: str, **fields: Any) -> dict[str, Any]:
    cost = {"params": 298_027, "gflops": 0.0123456, "gmacs": 0.0061728}
    shapes = {"input_shapes": {"inertial": [128, 6]}, "modalities": ["inertial"], "views": 1}
    return {"type": kind, **cost, **shapes, "origins": [], **fields}


def record(
    row: str = "kd/utd_a_b", seed: int = 0, top1: float = 90.0, teacher_top1: float = 96.0, **data: Any
) -> dict[str, Any]:
    """A result of UTD-MHAD, ``baseline/...`` without a teacher."""
    is_lone = row.startswith("baseline/")
    parts = {"data": "utd", "student": "b", **({} if is_lone else {"teacher": "a"})}
    origin = {"path": "t", "sha256": HASH, "row": "baseline/utd_a", "metrics": {"top1": teacher_top1}}
    made = {
        "schema_version": SCHEMA_VERSION,
        "row": row,
        "status": "ok",
        "config": {
            "path": f"configs/{row.partition('+')[0]}.py",
            "parts": parts,
            "swapped": {},
            "options": {},
            "smoke": False,
            "seed": seed,
            "sha256": HASH,
            "lone_student": None,
            "random_weights": [],
            "starts_from": None,
        },
        "seed": seed,
        "data": {
            "name": "utd",
            "protocol": "cross-subject",
            "labels": "all",
            "teacher_labels": None if is_lone else "all",
            "task": "single-label",
            "num_classes": 27,
            "num_train": 431,
            "num_labelled": 431,
            "num_test": 430,
            **data,
        },
        "epochs": 60,
        "steps": 840,
        "primary": "top1",
        "metrics": {"top1": top1, "top5": 99.0},
        "selected": None,
        "teacher": None if is_lone else network("A", params=9, origins=[origin]),
        "student": network("B", sha256="beef" + 60 * "0"),
        "distiller": None if is_lone else "KD",
        "start": None,
        "train": {
            "wall_seconds": 20.4 + seed,
            "cpu_seconds": 10.0 if is_lone else 20.0,
            "samples_per_second": 100.0,
            "peak_memory_mb": 400,
            "peak_gpu_memory_mb": None,
        },
        "environment": {
            "device": "cpu",
            "device_name": "cpu",
            "processor": "cpu",
            "threads": 1,
            "processes": 1,
            "precision": "float32",
            "deterministic": False,
            "packages": {"torch": "2.13.0"},
        },
        "repro": {
            "git_commit": "abc",
            "git_dirty": False,
            "command": "python tools/train.py",
            "created_utc": "2026",
        },
    }
    return {**made, "run_id": run_id(made)}
