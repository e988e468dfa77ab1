"""Parts: the named dicts of ``configs/_base_``, and what a row imports of them."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from mmengine.config import Config, ConfigDict
from mmengine.config.utils import ConfigParsingError

from ..registry import near
from .reading import import_problem, name_problem, syntax_problem

BASE = "_base_"
SLOTS = {"teacher": "models", "student": "models", "distiller": "distillers"}


class Part(NamedTuple):
    """A named dict of ``_base_`` and the file that it stands in."""

    name: str
    path: Path
    config: ConfigDict


def load(path: str | Path) -> Config:
    """The config of ``path`` as it stands; an unknown path, import or name is a ``ValueError`` with near ones."""
    path = Path(path)
    if not path.is_file():
        known = [str(row) for row in rows(configs_of(path))] if configs_of(path).is_dir() else []
        raise ValueError(f"there is no config {path}; {near(str(path), known)}")
    try:
        return Config.fromfile(path, lazy_import=True)
    except SyntaxError as error:
        raise ValueError(syntax_problem(path) or str(error)) from error
    except NameError as error:
        raise ValueError(name_problem(error)) from error
    except (KeyError, ConfigParsingError) as error:  # what mmengine says of imports that find nothing
        problem = import_problem(path)
        if problem is None and isinstance(error, KeyError):
            raise
        raise ValueError(problem or f"{path}: {error}") from error


def rows(configs: Path) -> list[Path]:
    """Every row below ``configs``, sorted."""
    return sorted(p for p in configs.glob("*/*.py") if p.parent.name not in (BASE, "matrices"))


def first_phase(row: Path) -> str | None:
    """``<method>/<stem>`` of the row that this one goes on from (``starts_from``), if any."""
    # Composing every row takes seconds; few have the word.
    return load(row).get("starts_from") if "starts_from" in row.read_text(encoding="utf-8") else None


def imported_parts(path: Path) -> dict[str, str]:
    """What a row imports: ``data`` and ``schedule`` by file, ``teacher``, ``student`` and ``distiller`` by name."""
    found = {}
    for module, alias in _base_imports(path):
        folder, _, stem = module.partition(".")
        if folder in ("datasets", "schedules"):
            found[folder.removesuffix("sets").removesuffix("s")] = stem
        elif (alias.asname or alias.name) in SLOTS:
            found[alias.asname or alias.name] = alias.name
    return found


def expected_stem(path: Path) -> str:
    """The file name that the imports of a row ask for: ``<data>_<teacher>_<student>``."""
    found = imported_parts(path)
    return "_".join(found[slot] for slot in ("data", "teacher", "student") if slot in found)


def _base_imports(path: Path) -> Iterator[tuple[str, ast.alias]]:
    """(module below ``_base_``, imported name) for each import under ``read_base``."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = (node for block in tree.body if isinstance(block, ast.With) for node in block.body)
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(f"{BASE}."):
            yield from ((node.module.removeprefix(f"{BASE}."), alias) for alias in node.names)


def parts(configs: Path, kind: str) -> dict[str, Part]:
    """The parts of a kind (``models`` or ``distillers``) by name; a name that stands twice is a ``ValueError``."""
    found: dict[str, Part] = {}
    for path in sorted((configs / BASE / kind).glob("*.py")):
        for name, config in _named_dicts(path).items():
            if name in found:
                raise ValueError(f"the part '{name}' stands twice: in {found[name].path} and in {path}")
            found[name] = Part(name, path, config)
    return found


def part(row: Path, kind: str, name: str) -> Part:
    """The part called ``name`` of the folder that ``row`` is in."""
    known = parts(configs_of(row), kind)
    if name not in known:
        raise ValueError(f"no part in {kind} is called '{name}'; {near(name, known)}")
    return known[name]


def _named_dicts(path: Path) -> dict[str, ConfigDict]:
    """Dicts with a ``type`` that a file defines itself; names with an underscore in front are its own affair."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    targets = [t for node in tree.body if isinstance(node, ast.Assign) for t in node.targets]
    names = [target.id for target in targets if isinstance(target, ast.Name)]
    doubles = {name for name in names if names.count(name) > 1 and not name.startswith("_")}
    if doubles:
        raise ValueError(f"the part '{min(doubles)}' stands twice: in {path} and in {path}")
    values = load(path)
    typed = {n: values[n] for n in names if not n.startswith("_") and isinstance(values.get(n), dict)}
    return {name: value for name, value in typed.items() if "type" in value}


def configs_of(row: Path) -> Path:
    """The ``configs`` folder that a row or a base file belongs to."""
    return next((folder for folder in row.parents if (folder / BASE).is_dir()), row.parent.parent)
