"""The plan of a matrix: its cells in an order in which each comes after those it starts from."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..records import RESULT_FILE
from .cells import Cell, cells_of, maker, unmakeable
from .files import AllDistillers, Matrix, Wish
from .fits import LeftOut, fitting, refusal
from .results import DONE, OTHER, Verdict, judge, move_aside


@dataclass
class Plan:
    """All cells by folder, teachers before students; ``after`` says which ones a cell waits for.

    ``same`` maps a folder to that of the cell with the same content, which is run in its place. ``asked`` are the
    cells of the matrix itself; the others are there because these start from them.
    """

    name: str
    cells: dict[str, Cell]
    after: dict[str, tuple[str, ...]]
    asked: frozenset[str]
    same: dict[str, str] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)
    verdicts: dict[str, Verdict] = field(default_factory=dict)

    @property
    def done(self) -> set[str]:
        """Folders whose run has ended well before."""
        return {key for key, verdict in self.verdicts.items() if verdict.state == DONE}

    @property
    def needed(self) -> list[str]:
        """Folders of the cells that will run, in the plan's order: what is asked for, and what that waits for."""
        wanted: set[str] = set()
        for key in reversed(self.cells):
            if key not in self.done and (key in self.asked or key in wanted):
                wanted |= {key, *self.after[key]}
        return [key for key in self.cells if key in wanted - self.done]

    def as_dict(self) -> dict[str, Any]:
        """The plan in terms that JSON knows."""
        return {
            "name": self.name,
            "cells": [
                {**cell.as_dict(), "after": list(self.after[key]), "before": self.verdicts[key].state}
                for key, cell in self.cells.items()
            ],
            "same": self.same,
            "left_out": [found._asdict() for found in self.left_out],
        }


def make_plan(
    matrix: Matrix,
    smoke: bool = False,
    passed: set[str] | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Plan:
    """Plan a matrix. All combinations that cannot run come in one ``ValueError``; no weight and no datum is read."""
    passed = set() if passed is None else passed
    wishes, left_out = _wishes(matrix, smoke, passed, say)
    asked = [cell for wish in wishes for cell in cells_of(wish, matrix, smoke)]
    same = _same(asked)
    cells = {cell.folder: cell for cell in asked if cell.folder not in same}
    after = _with_makers(cells, matrix, smoke)
    same = {
        key: first for key, first in same.items() if key not in cells
    }  # one that others start from is run
    if problems := unmakeable(cells.values(), {**cells, **same}):
        raise ValueError("\n".join(problems))
    order = _in_order(cells, after)
    return Plan(
        matrix.name, order, after, frozenset({cell.folder for cell in asked} - set(same)), same, left_out
    )


def _wishes(
    matrix: Matrix, smoke: bool, passed: set[str], say: Callable[[str], None]
) -> tuple[list[Wish], list[LeftOut]]:
    """Entries spelled out; what a file says by name has to fit, what it leaves open is left out if it does not."""
    wishes: list[Wish] = []
    left_out: list[LeftOut] = []
    problems: list[str] = []
    for entry in matrix.entries:
        if isinstance(entry, AllDistillers):
            found, more = fitting(entry, smoke, passed, say)
            wishes, left_out = [*wishes, *found], [*left_out, *more]
            continue
        wishes.append(entry)
        if reason := refusal(entry, smoke, passed):
            swaps = "".join(f" with the {slot} {part}" for slot, part in entry.swapped.items())
            problems.append(f"{entry.path}{swaps} cannot run: {reason}")
    if problems:
        raise ValueError("\n".join(dict.fromkeys(problems)))
    return wishes, left_out


def _same(asked: list[Cell]) -> dict[str, str]:
    """Folder -> that of a cell of the same content which is run in its place; one with a result comes first."""
    by_result = sorted(asked, key=lambda cell: not Path(cell.folder, RESULT_FILE).is_file())
    first = {cell.identity: cell.folder for cell in reversed(by_result)}
    return {cell.folder: first[cell.identity] for cell in asked if first[cell.identity] != cell.folder}


def _with_makers(cells: dict[str, Cell], matrix: Matrix, smoke: bool) -> dict[str, tuple[str, ...]]:
    """Add the cells that others start from; folder -> the folders that it waits for."""
    after, open_ = {}, list(cells.values())
    while open_:
        cell = open_.pop()
        makers = []
        for path in cell.starts:
            wish = maker(path, matrix.configs)
            made = cells_of(wish, matrix, smoke) if wish else []
            for other in made:
                if other.folder != str(Path(path).parent):
                    continue
                if other.folder not in cells:
                    cells[other.folder] = other
                    open_.append(other)
                makers.append(other.folder)
        after[cell.folder] = tuple(dict.fromkeys(makers))
    return after


def _in_order(cells: Mapping[str, Cell], after: Mapping[str, tuple[str, ...]]) -> dict[str, Cell]:
    """Cells that share teacher and data side by side, each after those it waits for."""
    groups: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for key, cell in cells.items():
        groups[cell.group].append(key)
    order: dict[str, Cell] = {}

    def put(key: str, below: tuple[str, ...]) -> None:
        if key in below:
            raise ValueError(f"these rows start from each other: {', '.join(below)}")
        for before in after[key]:
            put(before, (*below, key))
        order.setdefault(key, cells[key])

    for keys in groups.values():
        for key in keys:
            put(key, ())
    return order


def judge_all(plan: Plan) -> None:
    """Look into every cell's folder, and into those of the same content: what is done there is not run again."""
    plan.verdicts = {key: judge(cell) for key, cell in plan.cells.items()}


def others(plan: Plan) -> Iterator[tuple[Cell, str]]:
    """The cells that would run where another run's files stand, and what these are."""
    for key in plan.needed:
        if plan.verdicts[key].state == OTHER:
            yield plan.cells[key], plan.verdicts[key].reason


def clear(plan: Plan, is_asked_for: bool) -> list[str]:
    """Move other runs' folders aside if that is asked for, else refuse them; one line for each that was moved."""
    found = list(others(plan))
    if found and not is_asked_for:
        reasons = "\n".join(f"  - {reason}" for _, reason in found)
        raise ValueError(
            f"{len(found)} of the cells have folders with another run's files, which stay as they are:\n{reasons}\n"
            "--move-aside moves them to work_dirs/aside and runs these cells anew"
        )
    moved = [f"{cell.folder} moved to {move_aside(cell)}" for cell, _ in found]
    if moved:
        judge_all(plan)
    return moved
