"""Reading ``result.yml``, checked."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from ..spec import InvalidDataError
from .identity import run_id
from .schema import READABLE, Record

RESULT_FILE = "result.yml"
PREDICTIONS_FILE = "predictions.safetensors"
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C parser is ten times as fast


def read_yaml(path: Path) -> Any:
    """What a YAML file says; nothing in it is executed."""
    return yaml.load(path.read_text(encoding="utf-8"), _Loader)


def validated(record: Mapping[str, Any], source: str) -> dict[str, Any]:
    """The record as it is, if it is one; else an ``InvalidDataError`` with all that is wrong with it."""
    version = record.get("schema_version")
    if version not in READABLE:
        readable = " and ".join(map(str, READABLE))
        raise InvalidDataError(f"{source} has layout {version}; this version reads {readable}")
    try:
        Record.validate_python(dict(record))
    except ValidationError as error:
        lines = "".join(f"\n  - {_place(found)}: {found['msg']}" for found in error.errors())
        raise InvalidDataError(f"{source} is no record of a run:{lines}") from error
    return dict(record)


def _place(found: Any) -> str:
    return ".".join(str(part) for part in found["loc"][1:]) or "the whole"  # the first part is the status


def read_record(path: str | Path) -> dict[str, Any]:
    """A ``result.yml`` as plain values, checked, and ``file``, where it was read from.

    A file that is not there, is no YAML, or says what the schema does not know is an ``InvalidDataError``.
    """
    path = Path(path)
    try:
        found = read_yaml(path)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidDataError(f"{path} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise InvalidDataError(f"{path} is no record of a run: it holds no fields")
    return {**validated(found, str(path)), "file": str(path)}


def aside(folder: Path, record: Mapping[str, Any]) -> dict[str, Path]:
    """Where the files of an earlier record stay when another takes their names: by name, ``<stem>.<id8><suffix>``."""
    short = str(record.get("run_id") or run_id(record))[:8]
    selected = (record.get("selected") or {}).get("predictions") or {}
    saved = [(record.get("predictions") or {}).get("path"), selected.get("path")]
    names = [Path(name) for name in (RESULT_FILE, *saved) if name]
    return {name.name: folder / f"{name.stem}.{short}{name.suffix}" for name in names}
