"""Tables of results: one for each data set, protocol and label setting."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from .fold import BASELINE, Tree
from .statistics import interval, mean_and_std

NOT_RUN = "–"
ALL = "all"
KINDS = ("frame labels", "sequence labels")  # of all training clips
REFERENCE = "kd"  # the method that costs and gains are given beside
OPTIONAL = ("gain over kd (seeds won)", "also")  # columns that are left out where they would be empty
ALSO = {"mAP_C": "mAP_S"}  # the second metric of a table, by its first
HEADER = (
    "method",
    "teacher (score)",
    "student",
    "student alone",
    "distilled",
    "95 % interval",
    "gain (seeds won)",
    "gain over kd (seeds won)",
    "also",
    "seeds",
    "epochs",
    "seconds",
    "CPU time / kd",
    "params",
    "config",
)


class Measured(NamedTuple):
    """One row's result on one data set."""

    name: str
    method: str
    config: str
    metadata: Tree
    result: Tree

    @property
    def values(self) -> dict[int, float]:
        """The primary metric by seed."""
        return {seed: metrics[self.result["Primary"]] for seed, metrics in self.result["Seeds"].items()}

    @property
    def group(self) -> tuple[str, str, str]:
        """Data set, protocol, label setting: what stands in one table."""
        protocol = self.result["Protocol"] or NOT_RUN
        return (
            self.result["Dataset"],
            protocol,
            label_setting(self.result["Labels"], self.result["Teacher Labels"]),
        )


def measured(metafiles: Iterable[Tree]) -> list[Measured]:
    """Every result of the metafiles."""
    return [
        Measured(model["Name"], model["In Collection"], model["Config"], model["Metadata"], result)
        for metafile in metafiles
        for model in metafile["Models"]
        for result in model["Results"]
    ]


def label_setting(student: str, teacher: str | None) -> str:
    """The name of what student and teacher were told; a teacher that saw more labels is always said.

    >>> label_setting("subjects 1 3", "all")
    'subjects 1 3, labelled teacher'
    >>> label_setting("subjects 1 3", "subjects 1 3")
    'subjects 1 3, few labels for both'
    >>> label_setting("all", "all"), label_setting("subjects 1 3", None)
    ('all labels', 'subjects 1 3')
    >>> label_setting("frame labels", "frame labels")
    'frame labels'
    """
    name = "all labels" if student == ALL else student
    if teacher is None or (teacher == student and student in (ALL, *KINDS)):
        return name
    if teacher == student:
        return f"{name}, few labels for both"
    if teacher == ALL:
        return f"{name}, labelled teacher"
    return f"{name} for the student, {teacher} for the teacher"


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
    body = [_cells(entry, context, entry.name in changed) for entry in lines]
    kept = [i for i, name in enumerate(HEADER) if name not in OPTIONAL or any(c[i] != NOT_RUN for c in body)]
    rows = [HEADER, ["---"] * len(HEADER), *body]
    return "\n".join(_row([cells[i] for i in kept]) for cells in rows) + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(entry: Measured, context: Sequence[Measured], is_changed: bool) -> list[str]:
    values, metadata = list(entry.values.values()), entry.metadata
    own, ends = spread(values), interval(values)
    alone = student_alone(entry, context)
    is_lone = metadata["Teacher"] is None and metadata["Distiller"] is None
    marks = ("†" if is_changed else "") + ("‡" if metadata["Dirty"] else "")
    return [
        f"{entry.method}{_difference(entry)}{marks}",
        NOT_RUN if metadata["Teacher"] is None else _teacher(entry),
        metadata["Student"],
        own if is_lone else (_lone(alone, entry) if alone else NOT_RUN),
        NOT_RUN if is_lone else own,
        f"{ends[0]:.1f} to {ends[1]:.1f}" if ends else NOT_RUN,
        NOT_RUN if is_lone or alone is None else gain(entry, alone),
        _gain_over_kd(entry, context),
        _also(entry),
        str(len(values)),
        str(metadata["Epochs"] or NOT_RUN),
        NOT_RUN if metadata["Seconds"] is None else f"{metadata['Seconds']:.0f}",
        relative_cost(entry, context),
        count(metadata["Parameters"]),
        f"[config]({entry.config})",
    ]


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


def student_alone(entry: Measured, context: Sequence[Measured]) -> Measured | None:
    """The baseline of the same student on the same data and labels; one with the same budget before others.

    Peers are compared with one of them alone: their row says which (``lone_student``).
    """
    wanted = ("Dataset", "Protocol", "Labels", "Primary")
    found = [
        other
        for other in context
        if other.method == BASELINE
        and other.metadata["Student"] == _one_student(entry)
        and all(other.result[key] == entry.result[key] for key in wanted)
    ]
    return min(found, key=lambda other: (_budget(other) != _budget(entry), other.name), default=None)


def _one_student(entry: Measured) -> str:
    student: str = entry.metadata.get("Lone Student") or entry.metadata["Student"]
    return student


def relative_cost(entry: Measured, context: Sequence[Measured]) -> str:
    """CPU seconds a step beside those of KD with the same data, student and, where there is one, teacher."""
    other = _with_kd(entry, context)
    own, reference = _step_seconds(entry), _step_seconds(other) if other else None
    return f"{own / reference:.2f}" if own and reference else NOT_RUN


def _gain_over_kd(entry: Measured, context: Sequence[Measured]) -> str:
    other = _with_kd(entry, context)
    taught_alike = other and _teacher_part(other) == _teacher_part(entry)
    return gain(entry, other) if other and taught_alike and other.name != entry.name else NOT_RUN


def _with_kd(entry: Measured, context: Sequence[Measured]) -> Measured | None:
    """KD with the same data and student; one with the same teacher before others."""
    same = ("Data", "Training Samples")
    peers = [
        other
        for other in context
        if other.method == REFERENCE
        and other.metadata["Student"] == _one_student(entry)
        and all(other.metadata[key] == entry.metadata[key] for key in same)
    ]
    return min(peers, key=lambda peer: (_teacher_part(peer) != _teacher_part(entry), peer.name), default=None)


def _also(entry: Measured) -> str:
    """Mean and spread of the second metric, named."""
    name = ALSO.get(entry.result["Primary"])
    values = [metrics[name] for metrics in entry.result["Seeds"].values() if name in metrics]
    return f"{name} {spread(values)}" if values else NOT_RUN


def _teacher_part(entry: Measured) -> str | None:
    return (entry.metadata["Teacher"] or {}).get("Part")


def _step_seconds(entry: Measured) -> float | None:
    seconds, steps = entry.metadata.get("CPU Seconds"), entry.metadata["Steps"]
    return seconds / steps if seconds and steps else None


def _budget(entry: Measured) -> tuple[Any, ...]:
    return tuple(entry.metadata[key] for key in ("Epochs", "Steps"))


def _lone(alone: Measured, entry: Measured) -> str:
    """The lone student's score; a different budget is printed beside it."""
    differs = _budget(alone) != _budget(entry)
    return spread(list(alone.values.values())) + (f" ({alone.metadata['Epochs']} epochs)" if differs else "")


def gain(entry: Measured, alone: Measured) -> str:
    """The mean difference to the lone student over the seeds that both have, and how many seeds it won."""
    found = paired(entry, alone)
    return f"{found[0]:+.1f} ({found[1]}/{found[2]})" if found else NOT_RUN


def paired(entry: Measured, other: Measured) -> tuple[float, int, int] | None:
    """The mean difference over the seeds that both have, how many of them were won, how many there are."""
    pairs = [(value, other.values[seed]) for seed, value in entry.values.items() if seed in other.values]
    if not pairs:
        return None
    mean = sum(ours - theirs for ours, theirs in pairs) / len(pairs)
    return mean, sum(ours > theirs for ours, theirs in pairs), len(pairs)
