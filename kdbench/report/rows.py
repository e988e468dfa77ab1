"""What the tables show of each row: scores, gain, budget, rank among rows of its budget."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ..statistics import mean_and_std, student_interval
from ..zoo import Measured, gain, student_alone
from .entries import Entry
from .latency import UNMEASURED, Latencies
from .read import Tree

COSTS = {  # what accuracy is held against: the field of a row, its name
    "cpu": "CPU seconds of training",
    "params": "parameters",
    "gflops": "GFLOPs of a forward pass",
    "latency": "milliseconds of one clip",
}
_BUDGET = {"epochs": "epochs", "steps": "steps", "samples": "clips", "labelled": "labelled clips"}


def rows(entries: Sequence[Entry], latencies: Latencies = UNMEASURED) -> list[Tree]:
    """A plain dict for each entry, in their order; ``id`` is its place."""
    context = [entry.measured for entry in entries]
    taught = {name for entry in context for name in (entry.metadata["Teacher"] or {}).get("Rows", ())}
    students = {entry.metadata["Student"] for entry in context if _is_distilled(entry)}
    teachers = taught - {entry.name for entry in context if entry.metadata["Student"] in students}
    found = [
        {"id": place, **_row(entry, context, teachers), "latency": latencies.of(entry.measured)}
        for place, entry in enumerate(entries)
    ]
    for group in _grouped(found, "group").values():
        _place(group)
        _tell_apart(group)
    return found


def _row(entry: Entry, context: Sequence[Measured], teachers: set[str]) -> Tree:
    own, metadata = entry.measured, entry.measured.metadata
    values = list(own.values.values())
    mean, std = mean_and_std(values)
    kept = own.result.get("Interval")
    low, high = kept["Interval"] if kept else student_interval(values) or (None, None)
    kind = _kind(own, teachers)
    method, difference = _method(own)
    return {
        "name": own.name,
        "method": method if kind == "distilled" else kind,
        "difference": difference,
        "kind": kind,
        "config": own.config,
        "group": own.group,
        "primary": own.result["Primary"],
        "data": metadata["Data"],
        "student": metadata["Student"],
        "lone": own.lone_student,
        "distiller": metadata["Distiller"],
        **_teacher(own),
        **_alone(own, context, kind),
        "mean": mean,
        "std": std,
        "low": low,
        "high": high,
        "seeds": [{"seed": seed, "value": value} for seed, value in own.values.items()],
        "count": len(values),
        "budget": _budget(entry),
        "params": metadata["Parameters"],
        "gflops": metadata["GFLOPs"],
        "cpu": metadata.get("CPU Seconds"),
        "wall": metadata["Seconds"],
        "epochs": metadata["Epochs"],
        "metrics": own.result["Metrics"],
        "reasons": list(entry.reasons),
    }


def _method(entry: Measured) -> tuple[str, str]:
    """The method, a swapped distiller whatever row it was put into, and the options: networks have their columns."""
    swapped = entry.metadata.get("Swapped") or {}
    return swapped.get("distiller") or entry.method, "+".join(entry.options)


def _is_distilled(entry: Measured) -> bool:
    return entry.metadata["Teacher"] is not None or entry.metadata["Distiller"] is not None


def _kind(entry: Measured, teachers: set[str]) -> str:
    if _is_distilled(entry):
        return "distilled"
    return "teacher" if entry.name in teachers else "alone"


def _teacher(entry: Measured) -> Tree:
    """The teacher's part, and the mean of its own score over seeds."""
    teacher = entry.metadata["Teacher"]
    if teacher is None:
        return {"teacher": None, "teacher_mean": None}
    primary = entry.result["Primary"]
    scores = [metrics[primary] for metrics in teacher["Seeds"].values() if primary in metrics]
    name = f"{teacher['Part']} (random)" if teacher["Random"] else teacher["Part"]
    return {"teacher": name, "teacher_mean": mean_and_std(scores)[0] if scores else None}


def _alone(entry: Measured, context: Sequence[Measured], kind: str) -> Tree:
    """The lone student's mean, and the gain over it where seeds are shared."""
    alone = student_alone(entry, context) if kind == "distilled" else None
    if alone is None:
        return {"alone": None, "alone_epochs": None, "gain": None, "won": None, "pairs": None}
    same = all(alone.metadata[key] == entry.metadata[key] for key in ("Epochs", "Steps"))
    over = gain(entry, alone)
    value, won, pairs = (over.value, over.wins, over.seeds) if over else (None, None, None)
    mean = mean_and_std(list(alone.values.values()))[0]
    epochs = None if same else alone.metadata["Epochs"]
    return {"alone": mean, "alone_epochs": epochs, "gain": value, "won": won, "pairs": pairs}


def _budget(entry: Entry) -> Tree:
    metadata = entry.measured.metadata
    shapes = metadata.get("Input Shapes") or {}
    unknown = (
        f"the inputs of {metadata['Student']}"  # rows that were folded before they told shapes say no more
    )
    named = [f"{name} {'×'.join(map(str, shape))}" for name, shape in shapes.items()]
    return {
        "epochs": metadata["Epochs"],
        "steps": metadata["Steps"],
        "samples": metadata.get("Training Samples"),
        "labelled": metadata.get("Labelled Samples"),
        "inputs": ", ".join(named) or unknown,
        "modalities": ", ".join(shapes) or unknown,
    }


def budget_text(budget: Mapping[str, Any]) -> str:
    """A budget in words.

    >>> budget_text({"epochs": 60, "steps": 840, "samples": 431, "labelled": 431, "inputs": "inertial 128×6"})
    '60 epochs · 840 steps · 431 clips · inertial 128×6'
    """
    if not budget["epochs"]:
        return f"nothing trained · {budget['inputs']}"
    clips = [f"{budget['samples']} clips"] if budget["samples"] is not None else []
    if budget["labelled"] != budget["samples"] and budget["labelled"] is not None:
        clips.append(f"{budget['labelled']} labelled")
    epochs = f"{budget['epochs']} {'epoch' if budget['epochs'] == 1 else 'epochs'}"
    words = [epochs, f"{budget['steps']} steps", *clips, budget["inputs"]]
    return " · ".join(words)


def _place(group: Sequence[Tree]) -> None:
    """Rank the reliable rows of one table, among their budget and among all, and say how budgets differ."""
    budgets = Counter(budget_text(row["budget"]) for row in group)
    names = sorted(budgets, key=lambda name: (-budgets[name], name))
    usual = next(row["budget"] for row in group if budget_text(row["budget"]) == names[0])
    for row in group:
        row["block"] = names.index(budget_text(row["budget"]))
        row["budget_text"] = budget_text(row["budget"])
        row["other_budget"] = differences(row["budget"], usual)
    _rank(group, "rank_of_all")
    for block in _grouped(group, "block").values():
        _rank(block, "rank")


def _tell_apart(group: Sequence[Tree]) -> None:
    """Rows of one table that would read alike get their data part beside the method, else the end of their name."""
    for where in ("data", "name"):
        seen = Counter(_title(row) for row in group)
        for row in [row for row in group if seen[_title(row)] > 1]:
            row["difference"] = str(row[where]).rpartition("/")[2]


def _title(row: Tree) -> tuple[Any, ...]:
    return row["method"], row["difference"], row["student"]


def _rank(group: Sequence[Tree], name: str) -> None:
    reliable = sorted((row for row in group if not row["reasons"]), key=lambda row: -row["mean"])
    for row in group:
        row[name] = None
    for row in reliable:
        row[name] = 1 + sum(other["mean"] > row["mean"] for other in reliable)


def differences(budget: Mapping[str, Any], usual: Mapping[str, Any]) -> str:
    """What a budget has otherwise than the usual one, in words; empty if nothing.

    >>> depth = {"steps": 9, "samples": 1, "labelled": 1, "inputs": "depth 16", "modalities": "depth"}
    >>> differences({"epochs": 40, **depth}, {"epochs": 60, **depth})
    '40 epochs, not 60'
    >>> differences({"epochs": 40, **depth, "inputs": "depth 32"}, {"epochs": 40, **depth})
    'depth 32, not depth 16'
    """
    changed = [key for key in _BUDGET if budget[key] != usual[key]]
    if "epochs" in changed and "steps" in changed:  # more epochs are more steps
        changed.remove("steps")
    numbers = [f"{budget[key] or 0} {_BUDGET[key]}, not {usual[key] or 0}" for key in changed]
    if usual["epochs"] and not budget["epochs"]:
        numbers = ["nothing trained"]
    if budget["inputs"] == usual["inputs"]:
        return "; ".join(numbers)
    what = "inputs" if budget["modalities"] == usual["modalities"] else "modalities"
    return "; ".join([*numbers, f"{budget[what]}, not {usual[what]}"])


def pareto(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Whether no other (cost, score) is as cheap and as good, and better in one of the two.

    >>> pareto([(1.0, 80.0), (2.0, 90.0), (2.0, 85.0), (3.0, 90.0)])
    [True, True, False, False]
    """
    return [
        not any(c <= cost and s >= score and (c, s) != (cost, score) for c, s in points)
        for cost, score in points
    ]


def fronts(group: Sequence[Tree]) -> dict[str, list[int]]:
    """The ids of the reliable rows of one table on the Pareto front, by cost, cheapest first."""
    found = {}
    for cost in COSTS:
        known = [row for row in group if row[cost] is not None and not row["reasons"]]
        kept = zip(known, pareto([(row[cost], row["mean"]) for row in known]), strict=True)
        best = sorted((row for row, is_best in kept if is_best), key=lambda row: (row[cost], row["id"]))
        found[cost] = [row["id"] for row in best]
    return found


def _grouped(found: Sequence[Tree], key: str) -> dict[Any, list[Tree]]:
    groups: dict[Any, list[Tree]] = {}
    for row in found:
        groups.setdefault(row[key], []).append(row)
    return groups


def tables(found: Sequence[Tree]) -> list[Tree]:
    """The tables by data set, those of most rows first, each with the range of its scores and its Pareto fronts."""
    made = []
    groups = sorted(_grouped(found, "group").items(), key=lambda pair: (pair[0][0], -len(pair[1]), pair[0]))
    for place, (group, members) in enumerate(groups):
        for row in members:
            row["table"] = place
        dataset, protocol, labels = group
        blocks = {row["block"]: row["budget_text"] for row in members}
        made.append(
            {
                "id": place,
                "dataset": dataset,
                "protocol": protocol,
                "labels": labels,
                "primary": " / ".join(sorted({row["primary"] for row in members})),
                "range": _range([row["mean"] for row in members]),
                "budgets": [blocks[block] for block in sorted(blocks)],
                "rows": [row["id"] for row in sorted(members, key=_order)],
                "fronts": fronts(members),
            }
        )
    return made


def _range(means: Sequence[float]) -> tuple[float, float]:
    """What the small pictures of a table span: the scores but the lowest tenth, and some room."""
    ordered = sorted(mean for mean in means if math.isfinite(mean)) or [0.0]
    low, high = ordered[len(ordered) // 10], ordered[-1]
    room = 0.15 * (high - low) + 0.5
    return low - room, high + room


def _order(row: Tree) -> tuple[Any, ...]:
    return row["block"], bool(row["reasons"]), -row["mean"], row["name"]
