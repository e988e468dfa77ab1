"""A row of a table: a pure-Python config whose parts may be swapped by name.

``configs/<method>/<data>_<teacher>_<student>.py`` is a row, ``configs/baseline/<data>_<student>.py`` one without a
teacher. What stands in ``configs/_base_/{models,distillers}`` under a name, as a dict with a ``type``, is a part. The
part of a distiller may give the published ``task_weight`` and ``distill_weight`` beside its class's arguments.
"""

import copy
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict

from ..weights import RANDOM
from .options import set_option
from .parts import SLOTS, configs_of, imported_parts, load, part

_STAGES = [
    f"{stage}_{what}" for stage in ("train", "val", "test") for what in ("dataloader", "evaluator", "cfg")
]
_DECISIVE = {*_STAGES, "model", "optim_wrapper", "param_scheduler", "custom_hooks", "labels", "protocol"}
_MEANS = {"num_workers", "persistent_workers", "pin_memory", "prefetch_factor", "root", "cache_dir", "cache"}
# Options that change how fast or how loudly a run goes, not what it ends with.
_INERT = re.compile(
    r"num_workers|persistent_workers|pin_memory|prefetch|^default_hooks\.logger|^log_|^env_cfg|^vis"
)
LOSS_WEIGHTS = ("task_weight", "distill_weight")
_WORK_DIRS, _SMOKE_DIRS = "work_dirs/", "work_dirs/smoke/"


def compose(
    path: str | Path,
    *,
    teacher: str | None = None,
    student: str | None = None,
    distiller: str | None = None,
    options: Mapping[str, Any] | None = None,
    smoke: bool = False,
    seed: int | None = None,
) -> Config:
    """The config of a run: the row at ``path`` with parts swapped by name, options set, ``{seed}`` filled in.

    ``options`` maps dotted keys to values; one that no constructor would take is a ``ValueError``. ``smoke`` applies
    the ``smoke`` settings of the row's data, and teachers without a file become random. Schedules as long as training
    stay so when ``train_cfg.max_epochs`` is set. ``config.row`` says what was
    composed: ``name``, ``path``, ``parts``, ``swapped``, ``options``, ``smoke``, ``seed``, ``sha256`` (of everything
    that the result depends on, the seed apart), ``random_weights``, ``starts_from`` (the folder of the run that this
    one goes on from, None without one) and ``lone_student`` (the part to compare with if it is not the student's).
    """
    path, options = _relative(Path(path)), dict(options or {})
    config, slots = load(path), imported_parts(path)
    swapped = {k: v for k, v in zip(SLOTS, (teacher, student, distiller), strict=True) if v is not None}
    for slot, name in swapped.items():
        _swap(config, slot, part(path, SLOTS[slot], name).config)
    _settle_loss_weights(config, is_swapped="distiller" in swapped)
    _choose_weights(config, {**slots, **swapped}, path, is_swapped="teacher" in swapped)
    continued = _go_on(config, path, swapped)
    epochs = config.get("train_cfg", {}).get("max_epochs")
    for key, value in [*(_smoke_settings(config, path) if smoke else {}).items(), *options.items()]:
        set_option(config, key, value)
    _stretch_schedule(config, epochs, options)
    if seed is not None:
        config.randomness = {**config.get("randomness", {}), "seed": seed}
    seed = config.get("randomness", {}).get("seed") or 0
    identity = {
        "name": row_name(path, swapped, options),
        "path": str(path),
        "parts": {**slots, **swapped},
        "swapped": swapped,
        "options": options,
        "smoke": smoke,
        "seed": seed,
        "sha256": fingerprint(config),
        "lone_student": None if "student" in swapped else config.get("lone_student"),
    }
    identity["random_weights"] = _fill_in_weights(config.get("model", {}), seed, smoke)
    identity["starts_from"] = _folder_of(config.model[continued]) if continued else None
    config.row = identity
    return config


def _relative(path: Path) -> Path:
    """The path as seen from here, if it is below: so it means the same on another machine."""
    return path.resolve().relative_to(Path.cwd()) if path.resolve().is_relative_to(Path.cwd()) else path


def recompose(identity: Mapping[str, Any]) -> Config:
    """Compose again what ``config.row`` of an earlier run says; the row may have changed since."""
    swapped = {slot: identity["swapped"].get(slot) for slot in SLOTS}
    return compose(
        identity["path"],
        **swapped,
        options=identity["options"],
        smoke=identity["smoke"],
        seed=identity["seed"],
    )


def row_name(
    path: Path, swapped: Mapping[str, str] | None = None, options: Mapping[str, Any] | None = None
) -> str:
    """``<method>/<stem>``, and what differs from the file.

    >>> row_name(Path("configs/kd/toy_a_b.py"), {"student": "c"}, {"model.distiller.tau": 2.0})
    'kd/toy_a_b+student=c+model.distiller.tau=2.0'
    """
    changes = [
        *(swapped or {}).items(),
        *((k, v) for k, v in (options or {}).items() if not _INERT.search(k)),
    ]
    suffix = "".join(f"+{key}={value}" for key, value in changes)
    suffix = re.sub(r"[^\w+=.,\-]+", "-", suffix)
    if len(suffix) > 100:
        suffix = f"+{hashlib.sha256(suffix.encode()).hexdigest()[:8]}"
    return f"{path.parent.name}/{path.stem}{suffix}"


def work_dir(config: Config) -> str:
    """Where a composed run writes unless told otherwise; smoke runs stay apart from real ones."""
    root = _SMOKE_DIRS if config.row.smoke else _WORK_DIRS
    return f"{root}{config.row.name}/seed{config.row.seed}"


def fingerprint(config: Config) -> str:
    """SHA-256 of all that a result depends on; seed, log, checkpoints, workers and places of files are none of it."""
    settings = {key: _without_means(value) for key, value in config.to_dict().items() if key in _DECISIVE}
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()


def _without_means(node: Any) -> Any:
    """The settings without those that change how fast or from where, but not what, a run computes."""
    if isinstance(node, dict):
        return {key: _without_means(value) for key, value in node.items() if key not in _MEANS}
    return [_without_means(value) for value in node] if isinstance(node, list | tuple) else node


def _swap(config: Config, slot: str, value: ConfigDict) -> None:
    if "model" not in config:
        raise ValueError(f"{config.filename} has no model whose {slot} could be swapped")
    config.model[slot] = copy.deepcopy(value)
    config[slot] = copy.deepcopy(value)  # the name in the row, so that the dump documents what runs


def _settle_loss_weights(config: Config, is_swapped: bool) -> None:
    """The weights of a distiller's part go to the model; a row's own win, unless they were for another method."""
    model = config.get("model")
    if not model or not model.get("distiller"):
        return
    for name in LOSS_WEIGHTS:
        published = model.distiller.pop(name, None)
        if is_swapped:
            model.pop(name, None)
        if published is not None:
            model.setdefault(name, published)


def _smoke_settings(config: Config, path: Path) -> Mapping[str, Any]:
    if not config.get("smoke"):
        raise ValueError(f"{path} has no smoke settings; its data part gives them as smoke = {{...}}")
    settings: Mapping[str, Any] = config.smoke
    return settings


def _stretch_schedule(config: Config, before: int | None, options: Mapping[str, Any]) -> None:
    """Let schedules that lasted as long as training did still do so when the number of epochs was changed.

    Milestones stay at the same share of training, unless an option says where they are.
    """
    epochs = config.get("train_cfg", {}).get("max_epochs")
    if before is None or epochs == before:
        return
    schedulers = config.get("param_scheduler") or []
    for scheduler in schedulers if isinstance(schedulers, list) else [schedulers]:
        for name in ("total_steps", "T_max", "end"):
            if scheduler.get(name) == before:
                scheduler[name] = epochs
        if "milestones" in scheduler and not any("milestones" in key for key in options):
            scheduler["milestones"] = [round(at * epochs / before) for at in scheduler["milestones"]]
    if config.train_cfg.get("val_interval") == before:
        config.train_cfg["val_interval"] = epochs


def _choose_weights(config: Config, slots: Mapping[str, str], path: Path, is_swapped: bool) -> None:
    """Weights that a part names are its trained file for use as a teacher; a student starts fresh.

    A teacher whose row and part name no file takes ``teacher_weights`` of the data part (``{part}`` is the teacher's
    name), and a swapped one else the file of the baseline row with the same data. A student's ``start`` that names a
    ``part`` takes the file which that part has as a teacher.
    """
    model = config.get("model", {})
    student, teacher = model.get("student") or {}, model.get("teacher")
    if "weights" in student and "student" in slots:
        of_part = part(path, SLOTS["student"], slots["student"]).config.get("weights")
        if student["weights"] == of_part:
            del student["weights"]
    if start := student.get("start"):
        _find_start(start, config)
    if not teacher:
        return
    teacher.pop("start", None)
    if "weights" in teacher:
        return
    name = slots.get("teacher")
    if name and config.get("teacher_weights"):
        teacher["weights"] = config.teacher_weights.replace("{part}", name)
    elif name and is_swapped and "data" in slots:
        teacher["weights"] = f"{_WORK_DIRS}baseline/{slots['data']}_{name}/seed{{seed}}/student.safetensors"


def _find_start(start: ConfigDict, config: Config) -> None:
    """The file of the part that a student's ``start`` names."""
    name = start.pop("part", None)
    if name and not config.get("teacher_weights"):
        raise ValueError(
            f"the student starts from the part '{name}'; the data part has no teacher_weights: give start.weights"
        )
    if name:
        start["weights"] = config.teacher_weights.replace("{part}", name)


def _go_on(config: Config, path: Path, swapped: Mapping[str, str]) -> str | None:
    """Where a row has ``starts_from = "<method>/<stem>"``, take the weights that this other row ends with.

    What goes on is the distiller where both rows have the same method, else the student; its slot is returned. The
    other run is the one with the same seed, and the same teacher and student if those are swapped. It keeps its method.
    """
    if not config.get("starts_from"):
        return None
    before = configs_of(path) / f"{config.starts_from}.py"
    methods = [(of.model.get("distiller") or {}).get("type") for of in (load(before), config)]
    is_one_method = methods[0] is not None and methods[0] == methods[1] and "distiller" not in swapped
    slot = "distiller" if is_one_method else "student"
    name = row_name(before, {key: value for key, value in swapped.items() if key != "distiller"})
    config.model[slot]["weights"] = f"{_WORK_DIRS}{name}/seed{{seed}}/{slot}.safetensors"
    return slot


def _folder_of(node: Mapping[str, Any]) -> str | None:
    """The folder that a network's weights are in."""
    return None if node.get("weights", RANDOM) == RANDOM else str(Path(node["weights"]).parent)


def _fill_in_weights(model: Any, seed: int, smoke: bool) -> list[str]:
    """Replace ``{seed}`` in every ``weights`` of a model; returns the files that a smoke run does without."""
    missing: list[str] = []
    for node in _weighted(model):
        path = node["weights"].replace("{seed}", str(seed))
        found = _existing(path) if smoke and path != RANDOM else path
        if found is None:
            missing.append(path)
        node["weights"] = RANDOM if found is None else found
    return missing


def _weighted(node: Any) -> Iterator[Any]:
    """Every dict below ``node`` that names a weight file."""
    if isinstance(node, dict) and isinstance(node.get("weights"), str):
        yield node
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list | tuple) else ()
    for child in list(children):
        yield from _weighted(child)


def _existing(path: str) -> str | None:
    """The file to read in a smoke run: a smoke run's own before a real one."""
    candidates = (path.replace(_WORK_DIRS, _SMOKE_DIRS, 1), path)
    return next((candidate for candidate in candidates if Path(candidate).is_file()), None)
