"""Methods by the labels that they were given: one table for each student, for what its teacher saw, and for options."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from ..records import MIN_SEEDS
from ..statistics import holm
from .gains import OTHER_PRECISION, gain, is_one_precision, p_text
from .measured import ALL, KINDS, NOT_RUN, Measured, is_kd, is_lone, student_alone, taught_by_kd
from .pooling import Pooled, pooled_entries
from .tables import spread

FEW_FOR_BOTH, LABELLED_TEACHER = "few labels for both", "labelled teacher"
ALONE = "labels alone"
_HEAD = (
    "\n## Few labels at a glance\n\nMean ± standard deviation over seeds and, in brackets, the mean gain over the "
    "student alone with the same labels and seeds; intervals and p stand in the tables above. *Over KD*: the mean gain "
    "over KD with the same teacher, over all sets of few labels that both have and their common seeds, with Student's "
    "95 % interval; p, of one budget and precision, is corrected by Holm's rule within the table. § fewer than three "
    "seeds. ¶ Two that are compared computed in different precisions.\n"
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
    return (*where, entry.lone_student, ", ".join([found, *entry.circumstances])) if found else None


def _table(key: Key, few: Sequence[Measured], context: Sequence[Measured]) -> str:
    """One table: a line for each method, a column for each set of labels, few first, all labels last."""
    dataset, protocol, student, name = key
    columns = _columns(few)
    full = [entry for entry in context if _is_full(entry, key)]
    alone = {label: student_alone(entry, context) for label, entry in columns.items()}
    lines = [
        [ALONE, *(_spread(alone[label]) for label in columns), _first(e for e in full if is_lone(e)), NOT_RUN]
    ]
    methods = _by_method(few)
    for (method, taught), over_kd in zip(methods.items(), _over_kd(methods.values(), context), strict=True):
        cells = [_cell(taught.get(label), alone[label]) for label in columns]
        lines.append([method, *cells, _first(e for e in full if _method(e) == method), over_kd])
    counted = (f"{label} ({_count(entry)})" for label, entry in columns.items())
    head = ["method", *counted, "all labels", "over KD, few labels"]
    body = "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *lines))
    return f"### {dataset} · {protocol} · {student} · {name}\n\n{body}\n"


def _by_method(few: Iterable[Measured]) -> dict[str, dict[str, Measured]]:
    """What was taught by each method, by its labels; methods in the order of their names."""
    found: dict[str, dict[str, Measured]] = {}
    for entry in sorted(few, key=_method):
        found.setdefault(_method(entry), {})[entry.result["Labels"]] = entry
    return found


def _over_kd(methods: Iterable[Mapping[str, Measured]], context: Sequence[Measured]) -> list[str]:
    """The last cell of each method: its mean gain over KD with the same labels and teacher."""
    pairs = [
        [
            (entry, kd)
            for entry in taught.values()
            if not is_kd(entry) and (kd := taught_by_kd(entry, context))
        ]
        for taught in methods
    ]
    gains = [pooled_entries(of_one) if of_one else None for of_one in pairs]
    marks = ["" if all(is_one_precision(*pair) for pair in of_one) else OTHER_PRECISION for of_one in pairs]
    p_values = holm([_p(one, mark) for one, mark in zip(gains, marks, strict=True)])
    return [
        _pooled_text(one, p, mark) if one else NOT_RUN
        for one, p, mark in zip(gains, p_values, marks, strict=True)
    ]


def _p(one: Pooled | None, mark: str) -> float | None:
    """None where budgets or precisions differ: what was compared is not the method alone."""
    return None if one is None or mark or any(pair.budget for pair in one.pairs) else one.p


def _pooled_text(one: Pooled, p: float | None, mark: str) -> str:
    interval = "" if one.low is None else f" [{one.low:.1f}, {one.high:.1f}]"
    said = [
        f"{len(one.pairs)} set{'s' if len(one.pairs) > 1 else ''}",
        *([] if p is None else [f"p {p_text(p)}"]),
    ]
    return f"{one.mean:+.1f}{mark}{interval} ({'; '.join(said)})"


def _columns(few: Iterable[Measured]) -> dict[str, Measured]:
    """One entry of each set of labels, from few labelled clips to many."""
    return {entry.result["Labels"]: entry for entry in sorted(few, key=_count)}


def _count(entry: Measured) -> int:
    return int(entry.metadata["Labelled Samples"])


def _is_full(entry: Measured, key: Key) -> bool:
    where = (entry.result["Dataset"], entry.result["Protocol"] or NOT_RUN)
    is_other = entry.result["Labels"] != ALL or entry.circumstances
    return not is_other and (*where, entry.lone_student) == key[:3]


def _method(entry: Measured) -> str:
    """The distiller, and the students if they are several; with what was set otherwise."""
    distiller, student = entry.metadata["Distiller"] or entry.method, entry.metadata["Student"]
    name = distiller if student == entry.lone_student else f"{distiller} ({student})"
    return ", ".join([name, *entry.variations])


def _first(entries: Iterable[Measured]) -> str:
    return _spread(next(iter(entries), None))


def _spread(entry: Measured | None) -> str:
    if entry is None:
        return NOT_RUN
    return spread(list(entry.values.values())) + ("§" if len(entry.values) < MIN_SEEDS else "")


def _cell(entry: Measured | None, alone: Measured | None) -> str:
    gained = gain(entry, alone) if entry and alone else None
    return _spread(entry) + (f" ({gained.text})" if gained else "")
