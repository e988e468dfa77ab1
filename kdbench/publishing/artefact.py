"""A run's folder made into an artefact: written beside its place, loaded back, then renamed whole."""

import inspect
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ..atomic import sync, write_text
from ..compose import recompose
from ..distillers.base import Distiller
from ..engine.hooks import STUDENT_FILE
from ..engine.promises import fill_in
from ..records import RESULT_FILE, doubts
from ..registry import DISTILLERS, find
from ..weights import file_hash
from .card import card, leaderboard_yaml, slug
from .files import CARD, CONFIG, MANIFEST, RECORD, RESULTS_FOLDER, describe, sync_tree
from .frozen import freeze
from .loading import load


def publish(run: str | Path, to: str | Path, force: str | None = None) -> Path:
    """Write the student of a run (``work_dirs/<method>/<row>/seed<k>``) as ``to/<method>_<row>_seed<k>``; that folder.

    A run that is not reliable is a ``ValueError``, unless ``force`` says why it is published all the same, which is
    printed on the card. So are a row that has changed since, weights that are not those of the record, a method
    whose distiller takes part in inference, and another artefact of this name. Equal runs give equal bytes.
    """
    run = Path(run)
    record = _record(run)
    found = doubts(record)
    if found and not force:
        raise ValueError(
            f'{run} is not published: {"; ".join(found)}; --force "REASON" publishes it with a warning'
        )
    config = _config(run, record)
    name = f"{record['row'].replace('/', '_')}_seed{record['seed']}"
    place = Path(to) / name
    place.parent.mkdir(parents=True, exist_ok=True)
    staged = place.with_name(f".{name}.tmp-{os.getpid()}")
    shutil.rmtree(staged, ignore_errors=True)
    try:
        _write(staged, run, record, config, found, force, name)
        load(staged)
        sync_tree(staged)
        _settle(staged, place)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return place


def _record(run: Path) -> dict[str, Any]:
    path = run / RESULT_FILE
    if not path.is_file():
        raise ValueError(f"there is no {path}; give the folder of a run: work_dirs/<method>/<row>/seed<k>")
    record = dict(yaml.safe_load(path.read_text(encoding="utf-8")))
    if record.get("status") != "ok":
        raise ValueError(f"{run} ended as '{record.get('status')}' and has no student to publish")
    weights = run / STUDENT_FILE
    if not weights.is_file() or file_hash(weights) != record["student"]["sha256"]:
        raise ValueError(
            f"{weights} is not there or is not what {path} speaks of; train or test the row again"
        )
    return record


def _config(run: Path, record: Mapping[str, Any]) -> Any:
    """The row as it was when the run was made."""
    config = recompose(record["config"])
    if config.row.sha256 != record["config"]["sha256"]:
        raise ValueError(
            f"{record['config']['path']} or a part of it has changed since {run} was made; train it again, or bring "
            "back the row"
        )
    fill_in(config)
    distiller = config.model.get("distiller")
    if distiller and _takes_part(distiller):
        kind = find(DISTILLERS, distiller["type"]).__name__
        raise ValueError(
            f"{kind} takes part in inference, and only students are published; there is: methods that leave the "
            "student as it is"
        )
    return config


def _takes_part(distiller: Mapping[str, Any]) -> bool:
    """Whether the method, or one of several that are added, changes the student's logits at test time."""
    methods = distiller.get("methods")
    if methods:
        return any(_takes_part(method) for method in methods)
    return find(DISTILLERS, distiller["type"]).predict is not Distiller.predict


def _write(
    folder: Path,
    run: Path,
    record: Mapping[str, Any],
    config: Any,
    found: list[str],
    force: str | None,
    name: str,
) -> None:
    """All files, the manifest last."""
    (folder / RESULTS_FOLDER).mkdir(parents=True)
    weights = f"{record['row'].replace('/', '_')}-{record['student']['sha256'][:8]}.safetensors"
    shutil.copyfile(run / STUDENT_FILE, folder / weights)
    shutil.copyfile(run / RESULT_FILE, folder / RECORD)
    write_text(folder / CONFIG, json.dumps(freeze(config.to_dict()), indent=1, sort_keys=True) + "\n")
    text = card(record, name, weights, config.get("notice"), _about(config), found, force)
    write_text(folder / CARD, text)
    board = f"{slug(record['data']['name'])}.yaml"
    write_text(folder / RESULTS_FOLDER / board, leaderboard_yaml(record))
    write_text(folder / MANIFEST, describe(folder, record["row"]))


def _about(config: Any) -> str:
    """What the module of the row's method says of itself."""
    distiller = config.model.get("distiller")
    kind = find(DISTILLERS, distiller["type"]) if distiller else None
    return f"{inspect.getdoc(inspect.getmodule(kind)) or ''} {inspect.getdoc(kind) or ''}" if kind else ""


def _settle(staged: Path, place: Path) -> None:
    """Put the staged folder in its place; the same artefact may be there, another not."""
    if not place.exists():
        os.rename(staged, place)
        sync(place.parent)
        return
    there = place / MANIFEST
    if not there.is_file() or there.read_bytes() != (staged / MANIFEST).read_bytes():
        raise ValueError(f"{place} holds something else; move it away, or publish to another folder")
    load(place)
