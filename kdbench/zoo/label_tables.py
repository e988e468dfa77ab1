"""Methods by the labels that they were given: one table for each student and for what its teacher saw."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from ..records import MIN_SEEDS
from .gains import gain
from .measured import ALL, KINDS, NOT_RUN, Measured, is_lone, student_alone
from .tables import spread

FEW_FOR_BOTH, LABELLED_TEACHER = "few labels for both", "labelled teacher"
ALONE = "labels alone"
_HEAD = (
    "\n## Few labels at a glance\n\nMean ± standard deviation over seeds and, in brackets, the mean gain over the "
    "student alone with the same labels and seeds; intervals and p stand in the tables above. § fewer than three "
    "seeds. ¶ The two computed in different precisions.\n"
)
Key = tuple[str, str, str, str]  # data set, protocol, student, setting


def label_tables(entries: Sequence[Measured]) -> str:
    """The tables with their heading; nothing where no row was taught with few labels."""
    keyed = sorted(
        ((key, entry) for entry in entries if (key := _key(entry))), key=lambda pair: (pair[0], pair[1].name)
    )
    made = [
        _table(key, [entry for _, entry in group], entries)
        for key, group in groupby(keyed, key=lambda pair: pair[0])
    ]
    return "\n".join([_HEAD, *made]) if made else ""


def setting(entry: Measured) -> str | None:
    """What the teacher of a row with few labels saw; None for a row with all labels, or without a teacher."""
    labels, teacher = entry.result["Labels"], entry.result["Teacher Labels"]
    if is_lone(entry) or labels in (ALL, *KINDS) or teacher is None:
        return None
    return FEW_FOR_BOTH if teacher == labels else LABELLED_TEACHER if teacher == ALL else None


def _key(entry: Measured) -> Key | None:
    found = setting(entry)
    where = (entry.result["Dataset"], entry.result["Protocol"] or NOT_RUN)
    return (*where, entry.lone_student, found) if found else None


def _table(key: Key, few: Sequence[Measured], context: Sequence[Measured]) -> str:
    """One table: a line for each method, a column for each set of labels, few first, all labels last."""
    dataset, protocol, student, name = key
    columns = _columns(few)
    full = [entry for entry in context if _is_full(entry, key)]
    alone = {label: student_alone(entry, context) for label, entry in columns.items()}
    lines = [[ALONE, *(_spread(alone[label]) for label in columns), _first(e for e in full if is_lone(e))]]
    for method in sorted({_method(entry) for entry in few}):
        taught = {entry.result["Labels"]: entry for entry in few if _method(entry) == method}
        cells = [_cell(taught.get(label), alone[label]) for label in columns]
        lines.append([method, *cells, _first(e for e in full if _method(e) == method)])
    head = ["method", *(f"{label} ({_count(entry)})" for label, entry in columns.items()), "all labels"]
    body = "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *lines))
    return f"### {dataset} · {protocol} · {student} · {name}\n\n{body}\n"


def _columns(few: Iterable[Measured]) -> dict[str, Measured]:
    """One entry of each set of labels, from few labelled clips to many."""
    return {entry.result["Labels"]: entry for entry in sorted(few, key=_count)}


def _count(entry: Measured) -> int:
    return int(entry.metadata["Labelled Samples"])


def _is_full(entry: Measured, key: Key) -> bool:
    where = (entry.result["Dataset"], entry.result["Protocol"] or NOT_RUN)
    return entry.result["Labels"] == ALL and (*where, entry.lone_student) == key[:3]


def _method(entry: Measured) -> str:
    """The distiller, and the students if they are several."""
    distiller, student = entry.metadata["Distiller"] or entry.method, entry.metadata["Student"]
    return distiller if student == entry.lone_student else f"{distiller} ({student})"


def _first(entries: Iterable[Measured]) -> str:
    return _spread(next(iter(entries), None))


def _spread(entry: Measured | None) -> str:
    if entry is None:
        return NOT_RUN
    return spread(list(entry.values.values())) + ("§" if len(entry.values) < MIN_SEEDS else "")


def _cell(entry: Measured | None, alone: Measured | None) -> str:
    gained = gain(entry, alone) if entry and alone else None
    return _spread(entry) + (f" ({gained.text})" if gained else "")
