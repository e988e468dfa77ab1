"""Results of several seeds folded into one entry of a metafile (OpenMMLab's layout)."""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ..records import RESULT_FILE, predictions_of, read_record, read_yaml, reasons_for_doubt, tested_on
from ..statistics import mean_and_std

BASELINE = "baseline"
Tree = dict[str, Any]
# What seeds of one row must share, each by its path in a result.
_BUDGET = (
    "row",
    "config.sha256",
    "config.options",
    "config.swapped",
    "config.smoke",
    "epochs",
    "steps",
    "data.name",
    "data.protocol",
    "data.labels",
    "data.teacher_labels",
    "data.num_train",
    "data.num_labelled",
    "data.num_test",
    "start.config_sha256",
    "start.epochs",
    "start.steps",
    "student.params",
    "environment.precision",
    "primary",
)


def read_results(folder: str | Path) -> list[Tree]:
    """The ``seed*/result.yml`` below a row's work directory, checked, by seed, each with its ``file``."""
    paths = sorted(Path(folder).glob(f"seed*/{RESULT_FILE}"))
    if not paths:
        raise ValueError(f"{folder} holds no seed*/{RESULT_FILE}; make one with tools/train.py")
    return sorted(map(read_record, paths), key=lambda result: int(result["seed"]))


def fold(results: Sequence[Tree], allow_smoke: bool = False) -> Tree:
    """One entry of ``Models``; results that do not belong together are a ``ValueError`` with all reasons."""
    problems = [problem for result in results for problem in _problems(result, allow_smoke)]
    problems = problems or _differences(results)
    if problems:
        raise ValueError(
            "these results are not recorded:\n" + "\n".join(f"  - {problem}" for problem in problems)
        )
    first = results[0]
    values = {result["seed"]: _rounded(result["metrics"]) for result in results}
    entry: Tree = {
        "Name": first["row"],
        "In Collection": first["row"].split("/")[0],
        "Config": first["config"]["path"],
        "Metadata": _metadata(results),
        "Results": [
            {
                "Dataset": first["data"]["name"],
                "Protocol": first["data"]["protocol"],
                "Labels": first["data"]["labels"],
                "Teacher Labels": first["data"]["teacher_labels"],
                "Task": first["data"]["task"],
                "Primary": first["primary"],
                "Metrics": _over_seeds(values, 0),
                "Std": _over_seeds(values, 1),
                "Seeds": values,
            }
        ],
        "Weights": [{"Seed": r["seed"], "SHA256": r["student"]["sha256"]} for r in results],
    }
    if any(r.get("selected") for r in results):
        entry["Results"][0]["Selected By Validation"] = _selected(results)
    return entry


def _problems(result: Tree, allow_smoke: bool) -> list[str]:
    found, file = [], result["file"]
    if result.get("status") != "ok":
        found.append(f"{file} is of a run that ended as '{result.get('status')}': {result.get('reason', '')}")
    if result["config"] is None:
        found.append(f"{file} is of a config that is no row")
    elif result["config"].get("smoke") and not allow_smoke:
        found.append(f"{file} is of a smoke run, which measures nothing")
    return found


def _differences(results: Sequence[Tree]) -> list[str]:
    """What seeds of one row do not share."""
    first, found = results[0], []
    for result in results[1:]:
        for name in _BUDGET:
            one, other = _at(first, name), _at(result, name)
            if one != other:
                found.append(f"{first['file']} has {name} {one}; {result['file']} has {other}")
    return found


def alike(results: Sequence[Tree]) -> list[list[Tree]]:
    """The results in groups that ``fold`` takes: one row, one config, one budget; in the order of their first."""
    groups: list[list[Tree]] = []
    for result in results:
        fitting = (group for group in groups if not _differences([group[0], result]))
        group = next(fitting, None)
        if group is None:
            groups.append([result])
        else:
            group.append(result)
    return groups


def _at(tree: Any, name: str) -> Any:
    for key in name.split("."):
        tree = (tree or {}).get(key)
    return tree


def _metadata(results: Sequence[Tree]) -> Tree:
    first = results[0]
    parts = first["config"]["parts"]
    before = first.get("start") or {"epochs": 0, "steps": 0}  # a method of two rows has the budget of both
    return {
        "Data": parts.get("data"),
        "Student": parts.get("student") or first["student"]["type"],
        "Lone Student": first["config"].get("lone_student"),
        "Teacher": _teacher(results),
        "Distiller": parts.get("distiller") or first["distiller"],
        "Epochs": before["epochs"] + first["epochs"],
        "Steps": before["steps"] + first["steps"],
        "Training Samples": first["data"].get("num_train"),
        "Labelled Samples": first["data"].get("num_labelled"),
        "Seconds": _seconds(results, "wall_seconds"),
        "CPU Seconds": _seconds(results, "cpu_seconds"),
        "Parameters": first["student"]["params"],
        "GFLOPs": round(first["student"]["gflops"], 4),
        "Device": " and ".join(sorted({result["environment"]["device_name"] for result in results})),
        "Threads": max(result["environment"]["threads"] for result in results),
        "Precision": first["environment"]["precision"],
        "Swapped": first["config"]["swapped"],
        "Options": first["config"]["options"],
        "Config SHA256": first["config"]["sha256"],
        "Commits": sorted({str(result["repro"]["git_commit"]) for result in results}),
        "Dirty": any(result["repro"]["git_dirty"] for result in results),
        "Inputs": sorted(first["student"]["input_shapes"]),
        "Input Shapes": first["student"]["input_shapes"],
        "Unreliable": reasons_for_doubt(results, test_hashes(results)),
    }


def test_hashes(results: Sequence[Tree]) -> list[str | None]:
    """The hash of the test labels of each result; results that were tested on different ones are a ``ValueError``."""
    found = [tested_on(result, predictions_of(result) if "file" in result else None) for result in results]
    if len({one for one in found if one is not None}) > 1:
        raise ValueError(f"{results[0]['row']}: its seeds were tested on different clips or labels")
    return found


def _seconds(results: Sequence[Tree], clock: str) -> float | None:
    """The mean time that training took, that of the runs it went on from included; ``None`` where not all know it."""
    runs = [(result["train"], result.get("start") or {clock: 0.0}) for result in results if result["train"]]
    if not runs or any(clock not in run for pair in runs for run in pair):
        return None
    return round(statistics.fmean(own[clock] + before[clock] for own, before in runs), 1)


def _teacher(results: Sequence[Tree]) -> Tree | None:
    """The teacher by part name, and its own score for each seed where its run is known."""
    first = results[0]
    if first["teacher"] is None:
        return None
    scores = {}
    for result in results:
        origins = result["teacher"]["origins"]
        if len(origins) == 1 and origins[0]["row"]:
            scores[result["seed"]] = _rounded(origins[0]["metrics"])
    known = [origin["row"] for origin in first["teacher"]["origins"]]
    return {
        "Part": first["config"]["parts"].get("teacher") or first["teacher"]["type"],
        "Parameters": first["teacher"]["params"],
        "Rows": known,
        "Random": not known,
        "Seeds": scores,
    }


def _over_seeds(values: Mapping[int, Mapping[str, float]], which: int) -> dict[str, float | None]:
    """Mean (0) or standard deviation (1) of each metric that every seed has."""
    shared = [
        name for name in next(iter(values.values())) if all(name in metrics for metrics in values.values())
    ]
    folded = {name: mean_and_std([metrics[name] for metrics in values.values()])[which] for name in shared}
    return {name: None if value is None else round(value, 4) for name, value in folded.items()}


def _selected(results: Sequence[Tree]) -> Tree:
    known = {result["seed"]: result["selected"] for result in results if result.get("selected")}
    values = {seed: _rounded(selected["metrics"]) for seed, selected in known.items()}
    return {
        "Epochs": {seed: selected["epoch"] for seed, selected in known.items()},
        "Metrics": _over_seeds(values, 0),
        "Std": _over_seeds(values, 1),
        "Seeds": values,
    }


def _rounded(metrics: Mapping[str, Any]) -> dict[str, float]:
    return {name: round(float(v), 4) for name, v in metrics.items() if isinstance(v, int | float)}


def read_metafile(path: Path) -> Tree:
    """A metafile; an absent one is empty."""
    found = read_yaml(path) if path.is_file() else None
    return found or {"Collections": [], "Models": []}


def with_model(metafile: Tree, entry: Tree, paper: str | None) -> Tree:
    """The metafile with ``entry`` in the place of the one of its name, sorted."""
    models = [model for model in metafile["Models"] if model["Name"] != entry["Name"]]
    collection: Tree = {"Name": entry["In Collection"]}
    if paper and entry["In Collection"] != BASELINE:
        collection["Paper"] = {"Title": paper}
    others = [c for c in metafile["Collections"] if c["Name"] != collection["Name"]]
    before = [c for c in metafile["Collections"] if c["Name"] == collection["Name"]]
    collection = {**collection, **(before[0] if before else {})}
    return {
        "Collections": sorted([*others, collection], key=lambda c: str(c["Name"])),
        "Models": sorted([*models, entry], key=lambda model: str(model["Name"])),
    }


def metafile_text(metafile: Tree) -> str:
    """The same text for the same content, whatever the machine."""
    text: str = yaml.safe_dump(metafile, sort_keys=False, width=110, allow_unicode=True)
    return text
