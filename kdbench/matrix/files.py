"""A matrix as its file says it: rows by name, parts swapped, options, seeds; and what these come to, row by row.

    name   rows = [dict(row="kd/utd_{student}", axes=dict(student=("a", "b")), distiller="all", seeds=(0, 1))]

An entry is the product of its axes, of the parts for each slot, and of its options. ``distiller="all"`` is every part
of a distiller that fits, except those that match a pattern in ``without``.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from itertools import product
from pathlib import Path
from string import Formatter
from typing import Any

from ..compose import SLOTS, configs_of, load
from ..registry import near

ALL = "all"
FOLDER = "matrices"
_SETTINGS = {"rows", "seeds", "amp", "deterministic"}
_ENTRY = {"row", "axes", "teacher", "student", "distiller", "without", "options", "seeds"}


@dataclass(frozen=True)
class Wish:
    """A row with its parts swapped and its options set, for some seeds."""

    path: Path
    swapped: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = (0,)


@dataclass(frozen=True)
class AllDistillers:
    """Every distiller that fits a row with these parts, except what ``without`` names."""

    base: Wish
    without: tuple[str, ...] = ()

    def excluded_by(self, part: str) -> str | None:
        """The pattern that leaves a part out."""
        return next((pattern for pattern in self.without if fnmatch(part, pattern)), None)


@dataclass(frozen=True)
class Matrix:
    """What a matrix file asks for; ``amp`` is the value of ``--amp``, None for full precision."""

    name: str
    path: Path
    entries: tuple[Wish | AllDistillers, ...]
    amp: str | None = None
    deterministic: bool = False

    @property
    def configs(self) -> Path:
        """The folder that its rows are in."""
        return configs_of(self.path)


def matrices(configs: Path) -> list[Path]:
    """Every matrix file below ``configs``, sorted."""
    return sorted((configs / FOLDER).glob("*.py"))


def read_matrix(path: str | Path, seeds: Sequence[int] | None = None) -> Matrix:
    """The matrix in a file; ``seeds`` takes the place of all that it names. Bad content is a ``ValueError``."""
    path = Path(path)
    if not path.is_file():
        known = [str(file) for file in matrices(configs_of(path))]
        raise ValueError(f"there is no matrix {path}; {near(str(path), known)}")
    content = {key: value for key, value in load(path).to_dict().items() if not key.startswith("_")}
    _check_names(f"{path}", content, _SETTINGS)
    if not content.get("rows"):
        raise ValueError(f'{path} has no rows; give rows = [dict(row="<method>/<stem>"), ...]')
    default = tuple(seeds or content.get("seeds", (0, 1, 2)))
    entries = [
        wish
        for number, entry in enumerate(content["rows"])
        for wish in _wishes(f"{path}, rows[{number}]", entry, configs_of(path), default, bool(seeds))
    ]
    return Matrix(path.stem, path, tuple(entries), content.get("amp"), bool(content.get("deterministic")))


def _check_names(place: str, given: Mapping[str, Any], known: set[str]) -> None:
    for name in given:
        if name not in known:
            raise ValueError(f"{place} has '{name}'; {near(name, known)}")


def _wishes(
    place: str, entry: Mapping[str, Any], configs: Path, default: tuple[int, ...], is_fixed: bool
) -> Iterator[Wish | AllDistillers]:
    """What one entry comes to."""
    _check_names(place, entry, _ENTRY)
    if "row" not in entry:
        raise ValueError(f'{place} names no row; give row="<method>/<stem>"')
    seeds = default if is_fixed else tuple(entry.get("seeds", default))
    for name in _names(place, entry["row"], entry.get("axes") or {}):
        for parts in product(*(_several(entry.get(slot)) for slot in SLOTS)):
            for options in _several(entry.get("options") or {}):
                swapped = {slot: part for slot, part in zip(SLOTS, parts, strict=True) if part is not None}
                is_all = swapped.get("distiller") == ALL
                if is_all:
                    del swapped["distiller"]
                wish = Wish(configs / f"{name}.py", swapped, options, seeds)
                yield AllDistillers(wish, tuple(entry.get("without", ()))) if is_all else wish


def _names(place: str, template: str, axes: Mapping[str, Sequence[str]]) -> list[str]:
    """The rows that a template such as ``"{method}/toy_{net}"`` means."""
    wanted = list(dict.fromkeys(name for _, name, _, _ in Formatter().parse(template) if name is not None))
    if set(wanted) != set(axes):
        raise ValueError(
            f"{place}: the row '{template}' has the places {', '.join(wanted) or 'none'}; "
            f"its axes are: {', '.join(axes) or 'none'}"
        )
    return [
        template.format(**dict(zip(wanted, values, strict=True)))
        for values in product(*(axes[n] for n in wanted))
    ]


def _several(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (value,)
