"""A composed config as JSON: names and numbers. Names are looked up in registries by place, and never imported."""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from mmengine.registry import DATA_SAMPLERS, Registry

from ..registry import BACKBONES, DATASETS, METRICS, TRANSFORMS, near
from ..spec import InvalidDataError

DESCRIBED = (
    *(f"{stage}_{part}" for stage in ("train", "val", "test") for part in ("dataloader", "evaluator", "cfg")),
    *("optim_wrapper", "param_scheduler", "custom_hooks", "model", "labels", "protocol", "primary_metric"),
)  # what is kept of a config: all that a result depends on
ROLE_KEYS = ("reads", "taps")  # what a role says beside its class's own arguments
# Where something is read or written is the reader's business and no part of what was trained.
PLACES = (
    "weights",
    "start",
    "root",
    "cache",
    "cache_dir",
    "collect_dir",
    "split_file",
    "num_workers",
    "pin_memory",
)
# Only of the network, where it stands beside a weight file that is left out.
_BESIDE_WEIGHTS = "prefix"
SAMPLERS = ("EpochSampler", "DefaultSampler")
COLLATE = "default_collate"
MAX_NUMBER, MAX_LENGTH, MAX_DEPTH = 10**7, 10**4, 24
_NAME = re.compile(r"[A-Za-z_]\w*")
_PATH = re.compile(r"[/\\\0]|\.\.|^~")
Tree = dict[str, Any]


class Place(NamedTuple):
    """A part of a config that is built again: where its types are registered."""

    registries: tuple[Registry, ...]
    only: tuple[str, ...] = ()


def _encoders() -> Registry:
    from ..backbones import ENCODERS

    return ENCODERS


def places() -> dict[str, Place]:
    """The parts that loading builds, by dotted key; whatever else stands in a frozen config is for people to read."""
    return {
        "model.student": Place((BACKBONES, _encoders())),
        "test_dataloader.dataset": Place((DATASETS,)),
        "test_dataloader.dataset.transforms": Place((TRANSFORMS,)),
        "test_dataloader.sampler": Place((DATA_SAMPLERS,), SAMPLERS),
        "test_evaluator": Place((METRICS,)),
    }


def freeze(config: Mapping[str, Any]) -> Tree:
    """What a result depends on of a composed config, as plain values with types by their registered names.

    A class that loading would not find under its name is a ``ValueError``, as is whatever JSON cannot say.
    """
    frozen = {key: _plain(config[key], key) for key in DESCRIBED if config.get(key) is not None}
    _drop(frozen["model"].get("student"), _BESIDE_WEIGHTS)
    for key in places():
        for name in _types(_at(frozen, key)):
            try:
                found(key, name)
            except InvalidDataError as error:
                raise ValueError(f"{error}; what is published is made of registered classes only") from error
    return frozen


def _plain(node: Any, place: str) -> Any:
    if isinstance(node, Mapping):
        return {str(key): _plain(value, f"{place}.{key}") for key, value in node.items() if key not in PLACES}
    if isinstance(node, list | tuple):
        return [_plain(value, place) for value in node]
    if place.rpartition(".")[2] in ("type", "collate_fn"):
        return _short(node)
    if (
        node is None
        or isinstance(node, bool | int | str)
        or (isinstance(node, float) and math.isfinite(node))
    ):
        return node
    raise ValueError(f"{place} of the config is {node!r}; there is: what JSON can say")


def _short(kind: Any) -> str:
    """The name of a class or function without where it is from, which is never imported."""
    return str(getattr(kind, "__name__", kind)).rpartition(".")[2]


def _drop(node: Any, name: str) -> None:
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        _drop(child, name)
    if isinstance(node, dict):
        node.pop(name, None)


def _at(tree: Any, key: str) -> Any:
    for step in key.split("."):
        tree = tree.get(step) if isinstance(tree, Mapping) else None
    return tree


def _types(node: Any) -> Iterator[str]:
    """Every type below a node, but for transforms, which have a place of their own."""
    if isinstance(node, dict):
        if "type" in node:
            yield node["type"]
        node = [value for key, value in node.items() if key != "transforms"]
    if isinstance(node, list):
        for value in node:
            yield from _types(value)


def found(key: str, name: Any) -> type:
    """The class that a type at this place stands for; an ``InvalidDataError`` names what is registered there."""
    registries, only = places()[key]
    known: dict[str, type] = {}
    for registry in registries:
        registry.import_from_location()  # of our own packages; the name of the file plays no part in it
        known |= {n: kind for n, kind in registry.module_dict.items() if not only or n in only}
    if not isinstance(name, str) or name not in known:
        raise InvalidDataError(
            f"{key} has the type {name!r}, which is not registered; {near(str(name), known)}"
        )
    return known[name]


def checked(tree: Any) -> Tree:
    """The content of a frozen config, if ``freeze`` might have written it; else an ``InvalidDataError``."""
    if not isinstance(tree, dict):
        raise InvalidDataError("it is no table of settings")
    for key in tree:
        if key not in DESCRIBED:
            raise InvalidDataError(f"it says '{key}'; {near(str(key), DESCRIBED)}")
    _check(tree, "", 0)
    for key in ("model", "model.data", "model.student", "test_dataloader", *places()):
        kinds = (list, dict) if key in ("test_evaluator", "test_dataloader.dataset.transforms") else (dict,)
        value = _at(tree, key)
        if not isinstance(value, kinds) and not (key.endswith("transforms") and value is None):
            raise InvalidDataError(f"its {key} is {value!r:.80}; there is: a table of settings")
    return tree


def _check(node: Any, place: str, depth: int) -> None:
    """Names where types stand, no path anywhere, no key that the registry or the config language acts on."""
    if depth > MAX_DEPTH or (isinstance(node, dict | list) and len(node) > MAX_LENGTH):
        raise InvalidDataError(f"{place} is nested or long beyond all configs")
    if isinstance(node, dict):
        for key, value in node.items():
            if key in PLACES or key.startswith("_") or key == "custom_imports":
                raise InvalidDataError(f"{place or 'it'} says '{key}', which an artefact may not")
            if key in ("type", "collate_fn") and not (isinstance(value, str) and _NAME.fullmatch(value)):
                raise InvalidDataError(
                    f"{place}.{key} is {value!r}; there is: registered names, without dots"
                )
            _check(value, f"{place}.{key}".lstrip("."), depth + 1)
    elif isinstance(node, list):
        for value in node:
            _check(value, place, depth + 1)
    elif isinstance(node, str):
        if _PATH.search(node):
            raise InvalidDataError(f"{place} is {node!r}; an artefact names no files")
    elif isinstance(node, int | float) and not abs(node) <= MAX_NUMBER:
        raise InvalidDataError(f"{place} is {node}; there is: numbers up to {MAX_NUMBER}")


def thaw(tree: Tree) -> Tree:
    """The parts of a checked config that a test needs, their types as classes."""
    model, loader = tree["model"], tree["test_dataloader"]
    if loader.get("collate_fn") != COLLATE:
        raise InvalidDataError(
            f"test_dataloader.collate_fn is {loader.get('collate_fn')!r}; there is: {COLLATE}"
        )
    dataset = dict(_built(loader.get("dataset"), "test_dataloader.dataset"))
    if "transforms" in dataset:
        dataset["transforms"] = _built(dataset["transforms"], "test_dataloader.dataset.transforms")
    test_dataloader = {
        "batch_size": loader.get("batch_size", 1),
        "num_workers": 0,
        "collate_fn": {"type": f"torch.utils.data.{COLLATE}"},
        "sampler": _built(loader.get("sampler"), "test_dataloader.sampler"),
        "dataset": dataset,
    }
    student = _built(model.get("student"), "model.student")
    parts = {"data": model.get("data"), "student": student, "preprocessor": model.get("preprocessor")}
    for key in ("data", "preprocessor"):
        if any(True for _ in _types(parts[key])):
            raise InvalidDataError(f"model.{key} says 'type'; there is: plain settings")
    evaluator = _built(tree["test_evaluator"], "test_evaluator")
    return {"model": parts, "test_dataloader": test_dataloader, "test_evaluator": evaluator}


def _built(node: Any, key: str) -> Any:
    """The node with classes for types; transforms are left for their own place."""
    if isinstance(node, dict):
        return {
            k: found(key, v) if k == "type" else v if k == "transforms" else _built(v, key)
            for k, v in node.items()
        }
    return [_built(value, key) for value in node] if isinstance(node, list) else node
