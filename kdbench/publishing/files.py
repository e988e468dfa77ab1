"""The files of an artefact: which there may be, their hashes, and how text in them is read as data."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from ..atomic import sync
from ..spec import InvalidDataError
from ..weights import file_hash

FORMAT = "kdbench-artefact-1"
MANIFEST, CONFIG, RECORD, CARD = "artefact.json", "config.json", "result.yml", "README.md"
RESULTS_FOLDER = ".eval_results"
FROM_HUB = (".gitattributes", ".git", ".cache")  # what a clone or a download has beside the files
MAX_TEXT = 1 << 20  # bytes
_WORD = r"[A-Za-z0-9][\w+=,-]*(\.[\w+=,-]+)*"  # no leading dot, no two dots in a row
WEIGHTS = re.compile(rf"{_WORD}-[0-9a-f]{{8}}\.safetensors")
_MAY_BE = re.compile(
    rf"README\.md|config\.json|result\.yml|{WEIGHTS.pattern}|{re.escape(RESULTS_FOLDER)}/{_WORD}\.yaml"
)
Tree = dict[str, Any]


def describe(folder: Path, row: str) -> str:
    """The manifest of the files in a folder, as JSON."""
    names = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
    files = {n: {"sha256": file_hash(folder / n), "size": (folder / n).stat().st_size} for n in names}
    return json.dumps({"format": FORMAT, "row": row, "files": files}, indent=1) + "\n"


def read_manifest(folder: Path) -> Tree:
    """The manifest, once every file in the folder is one that it names, with that size and hash.

    Anything else, be it a link, a file too much or a name that leads elsewhere, is an ``InvalidDataError``.
    """
    if not (folder / MANIFEST).is_file():
        raise InvalidDataError(f"{folder} is no published artefact: it has no {MANIFEST}")
    manifest = read_json(folder / MANIFEST)
    files = manifest.get("files") if isinstance(manifest, dict) else None
    if not isinstance(files, dict) or manifest.get("format") != FORMAT:
        raise InvalidDataError(f"{folder / MANIFEST} is no manifest of the format {FORMAT}")
    for name in files:
        if not _MAY_BE.fullmatch(name):
            raise InvalidDataError(f"{folder / MANIFEST} names {name!r}, which is no file of an artefact")
    for name in (CONFIG, RECORD):
        if name not in files:
            raise InvalidDataError(f"{folder / MANIFEST} names no {name}")
    if sum(bool(WEIGHTS.fullmatch(name)) for name in files) != 1:
        raise InvalidDataError(f"{folder / MANIFEST} does not name one weight file, NAME-<hash8>.safetensors")
    _check_folder(folder, files)
    return manifest


def _check_folder(folder: Path, files: Mapping[str, Any]) -> None:
    there = set()
    for path in _walk(folder):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            raise InvalidDataError(f"{path} is a link; download the artefact as plain files")
        if path.is_dir() and name != RESULTS_FOLDER:
            raise InvalidDataError(f"{folder} holds the folder {name}, which is not of the artefact")
        if path.is_file():
            there.add(name)
    for name in sorted(there - {MANIFEST, *files}):
        raise InvalidDataError(f"{folder} holds {name}, which is not of the artefact")
    for name, about in files.items():
        path = folder / name
        if name not in there:
            raise InvalidDataError(f"{folder} lacks {name}")
        same_size = isinstance(about, dict) and path.stat().st_size == about.get("size")
        if not same_size or file_hash(path) != about.get("sha256"):
            raise InvalidDataError(f"{path} is not the file that {MANIFEST} names")


def _walk(folder: Path) -> list[Path]:
    """Everything below a folder, links not followed, without what a clone or a download adds."""
    own = [entry for entry in folder.iterdir() if entry.name not in FROM_HUB]
    below = [entry for top in own if top.is_dir() and not top.is_symlink() for entry in top.rglob("*")]
    return own + below


def _text(path: Path) -> str:
    if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_TEXT:
        raise InvalidDataError(f"{path} is no plain file of at most {MAX_TEXT} bytes")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InvalidDataError(f"{path} is no text: {error}") from error


def _parsed(path: Path, parse: Callable[[str], Any]) -> Any:
    try:
        return parse(_text(path))
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise InvalidDataError(f"{path} is not read: {error or type(error).__name__}") from error


def read_json(path: Path) -> Any:
    """The content of a JSON file; numbers that are none and names that stand twice are refused."""
    return _parsed(path, lambda text: json.loads(text, parse_constant=_no_number, object_pairs_hook=_once))


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _once(pairs: list[tuple[str, Any]]) -> Tree:
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a name stands twice")
    return dict(pairs)


def read_yaml(path: Path) -> Any:
    """The content of a YAML file without tags, anchors and aliases, which plain values do not need."""
    return _parsed(path, _plain_yaml)


def _plain_yaml(text: str) -> Any:
    for event in yaml.parse(text, yaml.SafeLoader):
        if getattr(event, "anchor", None) is not None:
            raise ValueError(f"it has the anchor '{event.anchor}'; there is: plain values")
        if getattr(event, "tag", None) is not None:
            raise ValueError(f"it has the tag '{event.tag}'; there is: plain values")
    return yaml.safe_load(text)


def sync_tree(folder: Path) -> None:
    """Have a folder and everything below it on the disk."""
    for path in [*folder.rglob("*"), folder]:
        sync(path)
