"""Where a run's labels and starting weights come from, read from its config and from the results of earlier runs."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..records import RESULT_FILE, read_yaml
from ..spec import IncompatibleError
from ..weights import RANDOM, file_hash

ALL = "all"


def student_labels(config: Mapping[str, Any]) -> str:
    """Which labels the run's student may see: what its training data say, else ``labels`` of the config.

    >>> student_labels({"train_dataloader": {"dataset": {"labelled": {"subjects": (1, 3)}}}})
    'subjects 1 3'
    >>> student_labels({"train_dataloader": {"dataset": {"labelled": {"fraction": 0.25}}}})
    '25 % of the clips'
    """
    data = dict((config.get("train_dataloader") or {}).get("dataset") or {})
    rule = dict(data.get("labelled") or {})
    subjects = rule.get("subjects") or data.get("train_subjects")
    found = [f"subjects {' '.join(map(str, sorted(subjects)))}"] if subjects else []
    if "fraction" in rule:
        found.append(f"{100 * rule['fraction']:g} % of the clips")
    if "supervision" in data:
        found.append(f"{data['supervision']} labels")
    return ", ".join(found) or str(config.get("labels") or ALL)


def protocol(config: Mapping[str, Any]) -> str | None:
    """Which split of the data is trained on and which is tested on, by name."""
    data = (config.get("test_dataloader") or {}).get("dataset") or {}
    return config.get("protocol") or data.get("protocol")


def has_validation(config: Any) -> bool:
    """Whether a split other than the test split is validated on; the test split never selects anything."""
    plain = config.to_dict()
    splits = [(plain.get(name) or {}).get("dataset") for name in ("val_dataloader", "test_dataloader")]
    if None in splits:
        return False
    validation, test = ({k: v for k, v in split.items() if k != "transforms"} for split in splits)
    return bool(validation != test)


def weight_files(node: Any) -> Iterator[str]:
    """Every file that a model's config starts from; what a part would start from is not read if the whole is."""
    if isinstance(node, Mapping) and isinstance(node.get("weights"), str):
        if node["weights"] != RANDOM:
            yield node["weights"]
        return
    for value in node.values() if isinstance(node, Mapping) else _sequence(node):
        yield from weight_files(value)


def _sequence(node: Any) -> Any:
    return node if isinstance(node, list | tuple) else ()


def origin(path: str | Path) -> dict[str, Any]:
    """A weight file, its hash, and what the run that wrote it says of itself (None where that is not known)."""
    path = Path(path)
    found = {"path": str(path), "sha256": file_hash(path)}
    result = read_result(path.parent / RESULT_FILE)
    if result.get("student", {}).get("sha256") != found["sha256"]:
        return {**found, "row": None}
    return {
        **found,
        "row": result["row"],
        "seed": result["seed"],
        "labels": result["data"]["labels"],
        "protocol": result["data"]["protocol"],
        "parts": result["config"]["parts"],
        "metrics": result["metrics"],
    }


def read_result(path: str | Path) -> dict[str, Any]:
    """A ``result.yml``; empty if there is none."""
    path = Path(path)
    if not path.is_file():
        return {}
    return dict(read_yaml(path) or {})


def teacher_labels(config: Mapping[str, Any], origins: list[dict[str, Any]]) -> str | None:
    """Which labels the teacher saw: what its own results say, else ``teacher_labels`` of the config."""
    known = sorted({found["labels"] for found in origins if found["row"]})
    return " and ".join(known) or config.get("teacher_labels")


def start(config: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the run that this one goes on from (``starts_from`` of its row) says of itself; None without one."""
    folder = (config.get("row") or {}).get("starts_from")
    if not folder:
        return None
    result = read_result(Path(folder) / RESULT_FILE)
    if result.get("status") != "ok":
        raise IncompatibleError(
            f"the row goes on from {folder}, whose run has not ended well: there is no whole {RESULT_FILE}; "
            "run it to its end with tools/train.py"
        )
    return {
        "path": folder,
        "row": result["row"],
        "config_sha256": result["config"]["sha256"],
        "labels": result["data"]["labels"],
        "protocol": result["data"]["protocol"],
        "epochs": result["epochs"],
        "steps": result["steps"],
        "wall_seconds": result["train"]["wall_seconds"],
        "cpu_seconds": result["train"].get("cpu_seconds", 0.0),
    }


def check_lineage(config: Mapping[str, Any]) -> None:
    """Refuse a teacher or a start that saw other labels than the row says, or was trained under another protocol.

    A teacher that saw labels that the student may not see makes "few labels" into full supervision, and one that was
    trained on test subjects makes any figure void. Modules that a student starts from are a teacher's: the row says no
    labels for them.
    """
    model = config.get("model") or {}
    start_of_student = (model.get("student") or {}).get("start")
    problems = []
    for role, node, labels in (
        ("teacher", model.get("teacher"), config.get("teacher_labels")),
        ("student's start", start_of_student, None),
    ):
        files = [path for path in weight_files(node or {}) if Path(path).is_file()]
        for found in filter(lambda found: found["row"], map(origin, files)):
            problems += _differences(role, found, labels, config)
    if before := start(config):
        problems += _differences("start", before, student_labels(config), config)
    if problems:
        raise IncompatibleError("\n".join(problems))


def _differences(
    role: str, found: Mapping[str, Any], labels: str | None, config: Mapping[str, Any]
) -> list[str]:
    """What an earlier run was trained on that the row does not say."""
    return [
        f"the {role} {found['path']} has {what} '{found[what]}'; the row says '{wanted}'"
        for what, wanted in (("labels", labels), ("protocol", protocol(config)))
        if wanted and found[what] and wanted != found[what]
    ]
