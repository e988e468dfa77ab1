"""Tables of results: one for each data set, protocol and label setting."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from ..statistics import budget_differences, mean_and_std, student_interval
from .fold import BASELINE
from .gains import OVER_SEEDS, gain, gain_texts
from .measured import NOT_RUN, Measured, is_lone, student_alone, taught_by_kd, with_kd

GAIN, OVER_KD, SELECTED = "gain (seeds won; p)", "gain over kd (seeds won; p)", "selected by validation"
OPTIONAL = (OVER_KD, SELECTED, "also")  # columns that are left out where they would be empty
ALSO = {"mAP_C": "mAP_S"}  # the second metric of a table, by its first
HEADER = (
    "method",
    "teacher (score)",
    "student",
    "student alone",
    "distilled",
    "95 % interval",
    GAIN,
    OVER_KD,
    SELECTED,
    "also",
    "seeds",
    "epochs",
    "seconds",
    "CPU time / kd",
    "params",
    "config",
)


def tables(entries: Sequence[Measured], context: Sequence[Measured], changed: Iterable[str] = ()) -> str:
    """Markdown tables of ``entries``; lone students are looked up in ``context``, changed rows are marked."""
    changed = set(changed)
    sections = []
    for group in sorted({entry.group for entry in entries}):
        dataset, protocol, setting = group
        lines = sorted((e for e in entries if e.group == group), key=_order)
        primary = " / ".join(sorted({entry.result["Primary"] for entry in lines}))
        sections.append(
            f"### {dataset} · {protocol} · {setting} · {primary}\n\n{_table(lines, context, changed)}"
        )
    return "\n".join(sections)


def _order(entry: Measured) -> tuple[Any, ...]:
    return entry.metadata["Student"], entry.method != BASELINE, entry.method, entry.name


def _table(lines: Sequence[Measured], context: Sequence[Measured], changed: set[str]) -> str:
    alone = [student_alone(entry, context) for entry in lines]
    kd = [taught_by_kd(entry, context) for entry in lines]
    over_alone = [
        None if other is None or is_lone(entry) else gain(entry, other)
        for entry, other in zip(lines, alone, strict=True)
    ]
    over_kd = [gain(entry, other) if other else None for entry, other in zip(lines, kd, strict=True)]
    texts = zip(gain_texts(over_alone), gain_texts(over_kd), strict=True)
    body = [
        _cells(label, entry, context, other, gained, entry.name in changed)
        for label, entry, other, gained in zip(_labels(lines), lines, alone, texts, strict=True)
    ]
    kept = [i for i, name in enumerate(HEADER) if name not in OPTIONAL or any(c[i] != NOT_RUN for c in body)]
    rows = [HEADER, ["---"] * len(HEADER), *body]
    return "\n".join(_row([cells[i] for i in kept]) for cells in rows) + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _labels(lines: Sequence[Measured]) -> list[str]:
    """The method of each row, with what was swapped or set; rows that would read alike say their data part too."""
    plain = [(f"{entry.method}{_difference(entry)}", entry.metadata["Student"]) for entry in lines]
    seen = Counter(plain)
    return [
        f"{pair[0]} on {entry.metadata['Data']}" if seen[pair] > 1 else pair[0]
        for pair, entry in zip(plain, lines, strict=True)
    ]


def _cells(
    label: str,
    entry: Measured,
    context: Sequence[Measured],
    alone: Measured | None,
    gained: tuple[str, str],
    is_changed: bool,
) -> list[str]:
    values, metadata = list(entry.values.values()), entry.metadata
    own, lone = spread(values), is_lone(entry)
    return [
        f"{label}{_marks(entry, is_changed)}",
        NOT_RUN if metadata["Teacher"] is None else _teacher(entry),
        metadata["Student"],
        own if lone else (_lone(alone, entry) if alone else NOT_RUN),
        NOT_RUN if lone else own,
        interval_text(entry),
        *gained,
        _selected(entry),
        _also(entry),
        str(len(values)),
        str(metadata["Epochs"] or NOT_RUN),
        NOT_RUN if metadata["Seconds"] is None else f"{metadata['Seconds']:.0f}",
        relative_cost(entry, context),
        count(metadata["Parameters"]),
        f"[config]({entry.config})",
    ]


def _marks(entry: Measured, is_changed: bool) -> str:
    other_doubts = set(entry.doubts) - {"uncommitted changes"}
    return (
        ("†" if is_changed else "") + ("‡" if entry.metadata["Dirty"] else "") + ("§" if other_doubts else "")
    )


def interval_text(entry: Measured) -> str:
    """The ends of the interval; one of Student's t over seeds is marked."""
    kept = entry.result.get("Interval")
    ends = kept["Interval"] if kept else student_interval(list(entry.values.values()))
    return f"{ends[0]:.1f} to {ends[1]:.1f}{'' if kept else f' {OVER_SEEDS}'}" if ends else NOT_RUN


def _selected(entry: Measured) -> str:
    """Mean and spread of the primary metric at the epochs that the validation split selected."""
    name, selected = entry.result["Primary"], entry.result.get("Selected By Validation") or {"Seeds": {}}
    values = [metrics[name] for metrics in selected["Seeds"].values() if name in metrics]
    return spread(values) if values else NOT_RUN


def _difference(entry: Measured) -> str:
    """What was swapped or set, as it stands in the name."""
    _, plus, rest = entry.name.partition("+")
    return f" ({rest})" if plus else ""


def spread(values: Sequence[float]) -> str:
    """Mean and standard deviation.

    >>> spread([96.0, 97.0, 98.0]), spread([96.0])
    ('97.0 ± 1.0', '96.0')
    """
    mean, std = mean_and_std(values)
    return f"{mean:.1f}" if std is None else f"{mean:.1f} ± {std:.1f}"


def count(parameters: int) -> str:
    """A number of parameters.

    >>> count(824_123), count(2_371), count(1_100_000)
    ('824 k', '2.4 k', '1.10 M')
    """
    if parameters >= 1_000_000:
        return f"{parameters / 1e6:.2f} M"
    return f"{parameters / 1e3:.0f} k" if parameters >= 10_000 else f"{parameters / 1e3:.1f} k"


def _teacher(entry: Measured) -> str:
    teacher = entry.metadata["Teacher"]
    if teacher["Random"]:
        return f"{teacher['Part']} (random)"
    scores = [s[entry.result["Primary"]] for s in teacher["Seeds"].values() if entry.result["Primary"] in s]
    return f"{teacher['Part']} ({spread(scores) if scores else NOT_RUN})"


def relative_cost(entry: Measured, context: Sequence[Measured]) -> str:
    """CPU seconds a step beside those of KD with the same data, student and, where there is one, teacher."""
    other = with_kd(entry, context)
    own, reference = _step_seconds(entry), _step_seconds(other) if other else None
    return f"{own / reference:.2f}" if own and reference else NOT_RUN


def _also(entry: Measured) -> str:
    """Mean and spread of the second metric, named."""
    name = ALSO.get(entry.result["Primary"])
    values = [metrics[name] for metrics in entry.result["Seeds"].values() if name in metrics]
    return f"{name} {spread(values)}" if values else NOT_RUN


def _step_seconds(entry: Measured) -> float | None:
    seconds, steps = entry.metadata.get("CPU Seconds"), entry.metadata["Steps"]
    return seconds / steps if seconds and steps else None


def _lone(alone: Measured, entry: Measured) -> str:
    """The lone student's score; a different budget is printed beside it."""
    differs = budget_differences(alone.budget, entry.budget)
    return spread(list(alone.values.values())) + (f" ({alone.metadata['Epochs']} epochs)" if differs else "")
