"""Cells that go together in one process: which may, and which do, by what was measured of them."""

import heapq
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from ..compose import compose
from .cells import Cell
from .child import Task
from .engines import Engine
from .folder import LOGS, Folder
from .plan import Plan
from .process import PLUS, plain_task

SHARES, MEASURING = "shares.json", "measuring"
WORTH = 0.98  # of the time one by one; taking turns costs a little too
MOST = 8  # members of a cohort: one that dies takes the others back to their last checkpoints


class Share(NamedTuple):
    """Seconds of an epoch: what a cell shares with its likes (data, teacher), and what it has to itself."""

    shared: float
    own: float


def batches_of(cell: Cell) -> str:
    """What, beside the seed, decides the training batches of a cell, and the precision; empty where none are shared.

    Cells of different seeds never go together: they meet clips in another order and augment them otherwise, so neither
    a batch nor what a teacher says of it is the same. A row that is fitted in one pass has nothing to share.
    """
    swapped: dict[str, Any] = dict(cell.swapped)
    config = compose(cell.path, **swapped, options=cell.options, smoke=cell.smoke, seed=cell.seed)
    if "type" in (config.get("train_cfg") or {"type": "none"}):
        return ""
    said = {
        "loader": config.train_dataloader.to_dict(),
        "preprocessor": (config.model.get("preprocessor") or {}),
        "run": [cell.smoke, cell.precision, cell.amp, cell.deterministic, cell.cache],
    }
    return json.dumps(said, sort_keys=True, default=str)


@dataclass
class Cohorts:
    """Puts cells of equal ``keys`` (folder -> ``batches_of``) together; ``shares`` are measured, by folder."""

    keys: Mapping[str, str]
    shares: Mapping[str, Share] = field(default_factory=dict)
    alone: set[str] = field(default_factory=set)

    def may_join(self, key: str) -> bool:
        """Whether a cell may be in a cohort."""
        return key in self.shares and key not in self.alone and bool(self.keys.get(key))

    def of(self, ready: Sequence[str], places: int) -> dict[str, tuple[str, ...]]:
        """For each of the ready cells the cohort that it belongs to, itself alone included, for so many ``places``."""
        groups: dict[str, list[str]] = {}
        for key in ready:
            groups.setdefault(self.keys[key] if self.may_join(key) else key, []).append(key)
        parts = [tuple(part) for group in groups.values() for part in _cut(group, -(-len(group) // MOST))]
        singles: list[tuple[str, ...]] = [(key,) for key in ready]
        parts = self._split(parts, places)
        if ready and self.seconds(parts, places) > WORTH * self.seconds(singles, places):
            parts = singles
        return {key: part for part in parts for key in part}

    def lines(self, plan: Plan, places: int) -> list[str]:
        """What would run together if all were ready, and how long that takes beside one by one, a line each."""
        if self.keys and not self.shares:
            return [
                "no cohorts: no step of these cells could be measured; logs/cohort.log of the matrix says why"
            ]
        keys = [key for key in plan.needed if self.may_join(key)]
        parts = list(dict.fromkeys(self.of(keys, places).values())) if keys else []
        if all(len(part) == 1 for part in parts):
            return ["no cohorts: by what was measured, these cells are as fast one by one"] * bool(parts)
        spent = [self.seconds(some, places) for some in (parts, [(key,) for key in keys])]
        found = [
            f"in one process: {', '.join(str(plan.cells[k]) for k in part)}" for part in parts if part[1:]
        ]
        return [
            *found,
            f"cohorts: about {spent[0]:.0f} s of training, one by one {spent[1]:.0f} s (measured)",
        ]

    def _split(self, parts: list[tuple[str, ...]], places: int) -> list[tuple[str, ...]]:
        """Cut the longest cohort in two as long as all are done sooner for it."""
        best = self.seconds(parts, places)
        while parts:
            longest = max(parts, key=self._of)
            if len(longest) < 2:
                return parts
            trial = [part for part in parts if part is not longest] + _cut(longest, 2)
            if (seconds := self.seconds(trial, places)) >= best:
                return parts
            parts, best = trial, seconds
        return parts

    def seconds(self, parts: Sequence[Sequence[str]], places: int) -> float:
        """When the last cohort is done, the longest ones being begun first."""
        ends = [0.0] * places
        for spent in sorted(map(self._of, parts), reverse=True):
            heapq.heapreplace(ends, ends[0] + spent)
        return max(ends)

    def _of(self, part: Sequence[str]) -> float:
        shares = [self.shares[key] for key in part if key in self.shares]
        return max((s.shared for s in shares), default=0.0) + sum(s.own for s in shares)


def _cut(cells: Sequence[str], count: int) -> list[tuple[str, ...]]:
    """As many parts as asked for, of like size."""
    return [tuple(cells[first::count]) for first in range(count)]


def candidates(plan: Plan) -> dict[str, str]:
    """Folder -> ``batches_of`` of the cells to be run that have a teacher, for those that others are like."""
    taught: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    for key in plan.needed:
        cell = plan.cells[key]
        if cell.parts.get("teacher") and cell.parts.get("distiller"):
            taught[(cell.seed, *cell.group)].append(key)
    alike = [key for keys in taught.values() if len(keys) > 1 for key in keys]
    texts: dict[
        str, str
    ] = {}  # by config: composing takes a tenth of a second, and seeds differ in nothing else
    found: dict[str, str] = {}
    for key in alike:
        cell = plan.cells[key]
        if cell.sha256 not in texts:
            texts[cell.sha256] = batches_of(cell)
        if text := texts[cell.sha256]:
            found[key] = f"seed {cell.seed}: {text}"
    count = Counter(found.values())
    return {key: text for key, text in found.items() if count[text] > 1}


def make_cohorts(plan: Plan, engine: Engine, folder: Folder, tool: Path) -> Cohorts:
    """The cohorts of a plan; what is not known of its cells is measured first, on the engine, and kept."""
    keys = candidates(plan)
    known = {kind: Share(*pair) for kind, pair in (folder.read(SHARES) or {}).items()}
    unknown = {_kind(plan.cells[key]): plan.cells[key] for key in keys if _kind(plan.cells[key]) not in known}
    if unknown:
        known |= measured(unknown, engine, folder, tool)
        folder.write(SHARES, {kind: list(share) for kind, share in known.items()})
    shares = {}
    for key in keys:
        if share := known.get(_kind(plan.cells[key])):
            epochs = plan.cells[key].epochs
            shares[key] = Share(share.shared * epochs, share.own * epochs)
    return Cohorts(keys, shares)


def _kind(cell: Cell) -> str:
    """Cells of one kind, whatever their seed and method, are taken to be equally long: most methods cost little."""
    parts = ", ".join(cell.parts.get(name, "") for name in ("data", "teacher", "student"))
    return f"{parts}, {cell.precision}{', cached' if cell.cache else ''}"


def measured(cells: Mapping[str, Cell], engine: Engine, folder: Folder, tool: Path) -> dict[str, Share]:
    """Some steps of each of the cells, one after the other in a process of its own; what fails stays unknown."""
    out = folder.path / "measured.json"
    out.unlink(missing_ok=True)
    words = [
        word for cell in cells.values() for word in (PLUS, *_bare(cell), "--threads", str(engine.threads))
    ]
    engine.start(
        MEASURING, plain_task(tool, ["--measure", str(out.resolve()), *words[1:]], folder.path / LOGS)
    )
    while not engine.ended(1.0):
        pass
    found = folder.read(out.name) or [None] * len(cells)
    pairs = zip(cells, found, strict=True)
    return {kind: _share(cells[kind], *three) for kind, three in pairs if three is not None}


def _share(cell: Cell, reading: float, teaching: float, own: float) -> Share:
    """A cell that reads its teacher from a cache shares the reading of batches alone."""
    return Share(reading + (0.0 if cell.cache else teaching), own)


def _bare(cell: Cell) -> list[str]:
    """A cell's command line without its cache, which is not there yet."""
    return replace(cell, cache=None).arguments


def together(cells: Sequence[Cell], tasks: Sequence[Task], tool: Path, folder: Folder) -> dict[str, Any]:
    """The task of a cohort: the tasks of its cells, and where its output goes."""
    log = folder.log_of(cells[0])
    return {**plain_task(tool, [], log.with_name(f"cohort-{log.name}")), "members": list(tasks)}
