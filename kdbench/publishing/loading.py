"""Reading an artefact: hashes first, then names against registries, then numbers into a network."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmengine.config import Config
from safetensors import SafetensorError, safe_open
from torch import nn

from ..models import Distillation
from ..models.role import Role
from ..spec import DataSpec, InvalidDataError, KDBenchError
from ..weights import load_weights
from .files import CONFIG, RECORD, WEIGHTS, read_json, read_manifest, read_yaml
from .frozen import checked, thaw

TOLERANCE = 0.01  # points of a score in percent: rounding on another machine


class Artefact(NamedTuple):
    """A published student: the network in eval mode, its record, the weight file, and a config that tests it."""

    student: nn.Module
    record: dict[str, Any]
    weights: Path
    config: Config


def load(folder: str | Path) -> Artefact:
    """The student of a published folder. Nothing in the folder is executed or imported, and nothing is written.

    An artefact that is damaged, incomplete, or says what no artefact of ours would is an ``InvalidDataError``.
    """
    folder = Path(folder)
    names = read_manifest(folder)["files"]
    weights = folder / next(name for name in names if WEIGHTS.fullmatch(name))
    record = _record(folder / RECORD, names[weights.name]["sha256"])
    try:
        parts = thaw(checked(read_json(folder / CONFIG)))
    except InvalidDataError as error:
        raise InvalidDataError(f"{folder / CONFIG} is refused: {error}") from error
    model = _model(folder, parts["model"], weights)
    config = _config(parts, record)
    return Artefact(model.student.eval(), record, weights, config)


def _record(path: Path, sha256: str) -> dict[str, Any]:
    record = read_yaml(path)
    wanted = {"row": str, "seed": int, "config": dict, "data": dict, "metrics": dict, "student": dict}
    wrong = [
        name
        for name, kind in wanted.items()
        if not isinstance(record, dict) or not isinstance(record.get(name), kind)
    ]
    if wrong:
        raise InvalidDataError(f"{path} is no record of a run: it does not say {', '.join(wrong)}")
    if record["student"].get("sha256") != sha256:
        raise InvalidDataError(f"{path} speaks of other weights than are there")
    return record


def _model(folder: Path, parts: Mapping[str, Any], weights: Path) -> Distillation:
    """The model with its weights; shapes are compared before any memory is taken."""
    settings = {name: value for name, value in parts.items() if value is not None}
    try:
        with torch.device("meta"):
            blank = Role("student", settings["student"], DataSpec(**settings["data"])).model
        _compare(blank, weights)
        with torch.random.fork_rng(devices=[]):
            model = Distillation(**settings, load_weights=False)
        load_weights(model.student, weights)
    except InvalidDataError:
        raise
    except (KDBenchError, ValueError, TypeError, KeyError, AttributeError, RuntimeError, IndexError) as error:
        raise InvalidDataError(f"{folder / CONFIG} makes no network: {error}") from error
    return model


def _compare(network: nn.Module, weights: Path) -> None:
    """Refuse a weight file whose names and shapes are not those of the network."""
    wanted = {name: list(value.shape) for name, value in network.state_dict().items()}
    try:
        with safe_open(weights, framework="pt") as file:
            there = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise InvalidDataError(f"{weights} is no weight file: {error}") from error
    if wanted != there:
        other = sorted(name for name in {*wanted, *there} if wanted.get(name) != there.get(name))
        raise InvalidDataError(f"{weights} does not fit {type(network).__name__}; first: {other[0]}")


def _config(parts: Mapping[str, Any], record: Mapping[str, Any]) -> Config:
    """What the runner needs to test the student on the data of this machine."""
    data = record["data"]
    row = {
        **{name: record["config"].get(name) for name in ("path", "parts", "sha256")},
        **{
            "name": record["row"],
            "seed": record["seed"],
            "swapped": {},
            "options": {},
            "smoke": False,
            "random_weights": [],
        },
    }
    model = {name: value for name, value in parts["model"].items() if value is not None}
    return Config(
        {
            "model": _named({"type": Distillation, **model}),
            "test_dataloader": _named(parts["test_dataloader"]),
            "test_evaluator": _named(parts["test_evaluator"]),
            "test_cfg": {},
            "labels": data.get("labels"),
            "protocol": data.get("protocol"),
            "primary_metric": record.get("primary"),
            "randomness": {"seed": record["seed"]},
            "row": row,
        }
    )


def _named(node: Any) -> Any:
    """The node with the import paths of its classes, which the runner wants in order to write the config down."""
    if isinstance(node, dict):
        return {name: _named(value) for name, value in node.items()}
    if isinstance(node, list):
        return [_named(value) for value in node]
    return f"{node.__module__}.{node.__qualname__}" if isinstance(node, type) else node


def disagreements(record: Mapping[str, Any], metrics: Mapping[str, Any]) -> list[str]:
    """Scores of a test that are not those of the record, in words; what only one of them has is left out."""
    both = [n for n in record["metrics"] if n in metrics and isinstance(metrics[n], int | float)]
    if not both:
        return ["the test and the record have no metric in common"]
    return [
        f"{name} is {metrics[name]:.4f}, recorded was {record['metrics'][name]:.4f}"
        for name in both
        if not abs(metrics[name] - record["metrics"][name]) <= TOLERANCE
    ]
