"""Which distillers fit a row: every registered part, tried on zeros before a weight is read."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ..compose import SLOTS, configs_of, first_phase, imported_parts, parts, rows
from ..engine.promises import fill_in
from ..models.checks import checked, likeness
from ..spec import KDBenchError, MissingPackageError
from .cells import composed
from .files import AllDistillers, Wish


class LeftOut(NamedTuple):
    """A part of a distiller that is not in the matrix, and why."""

    row: str
    part: str
    reason: str


def fitting(
    every: AllDistillers, smoke: bool, passed: set[str], say: Callable[[str], None] = lambda _: None
) -> tuple[list[Wish], list[LeftOut]]:
    """A wish for each part that fits, and the other parts; ``passed`` are the models that need not be tried again.

    Where a row of its own has the part, with the same data, teacher and student, that row stands for it: its weights
    were chosen for the pair. Of a method of two rows it is the second.
    """
    base, wishes, left_out = every.base, [], []
    own = rows_by_part(base.path)
    for part in sorted(parts(configs_of(base.path), SLOTS["distiller"])):
        pattern = every.excluded_by(part)
        wish = _with(base, part, own.get(part))
        reason = f"left out by the matrix: '{pattern}'" if pattern else refusal(wish, smoke, passed)
        if reason:
            left_out.append(LeftOut(f"{base.path.parent.name}/{base.path.stem}", part, reason))
        elif wish not in wishes:
            wishes.append(wish)
        say(part)
    return wishes, left_out


def _with(base: Wish, part: str, own: Path | None) -> Wish:
    if own is not None:
        return Wish(own, base.swapped, base.options, base.seeds)
    return Wish(base.path, {**base.swapped, "distiller": part}, base.options, base.seeds)


def refusal(wish: Wish, smoke: bool, passed: set[str]) -> str | None:
    """Why a row cannot run, in a line; None if it can."""
    try:
        config = composed(wish, wish.seeds[0], smoke)
        fill_in(config)
        if (model := likeness(config.model)) not in passed:
            checked(config.model)
            passed.add(model)
    except MissingPackageError:  # not refused: on a machine with the package it may well run
        raise
    except (
        KDBenchError,
        ValueError,
        TypeError,
    ) as error:  # TypeError: an argument that only a part would give
        lines = [line.strip(" -") for line in str(error).splitlines()]
        return " ".join(lines[1:] or lines)
    return None


def rows_by_part(row: Path) -> dict[str, Path]:
    """Part of a distiller -> the row that has it and is called as ``row`` is, in whatever method's folder."""
    alike = [path for path in rows(configs_of(row)) if path.stem == row.stem]
    second = {first: path for path in alike if (first := first_phase(path))}
    found: dict[str, Path] = {}
    for path in sorted(alike, key=lambda path: path != row):
        part = imported_parts(path).get("distiller")
        if part is not None:
            found.setdefault(part, second.get(f"{path.parent.name}/{path.stem}", path))
    return found
