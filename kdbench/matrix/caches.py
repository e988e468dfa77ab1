"""Which cells of a matrix read their teacher from a cache."""

import dataclasses
from typing import Any

from ..cache import needs_of
from ..compose import compose
from ..spec import IncompatibleError
from .cells import Cell
from .plan import Plan


def read_teachers_from(plan: Plan, folder: str) -> list[str]:
    """Have each cell that can be cached read its teacher from ``folder``; a line for each row that cannot.

    The first cell of a data set, teacher and seed builds the cache, others wait for it. Rows without a teacher are
    in no line.
    """
    reasons: dict[str, str | None] = {}
    for key, cell in plan.cells.items():
        if cell.row not in reasons:
            reasons[cell.row] = _reason(cell)
        if reasons[cell.row] is None:
            plan.cells[key] = dataclasses.replace(cell, cache=folder)
    return [f"with a live teacher: {reason}" for reason in reasons.values() if reason]


def _reason(cell: Cell) -> str | None:
    """Why a cell cannot be cached; empty where there is nothing to cache, None where it can be."""
    swapped: dict[str, Any] = dict(cell.swapped)
    config = compose(cell.path, **swapped, options=cell.options, smoke=cell.smoke, seed=cell.seed)
    if not config.model.get("teacher") or not config.model.get("distiller"):
        return ""
    try:
        needs_of(config)
    except IncompatibleError as error:
        return str(error)
    return None
