"""Results as they stand in metafiles, and which of them a result is compared with."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from ..records import MIN_SEEDS
from ..statistics import Budget
from .fold import BASELINE, Tree

NOT_RUN = "–"
ALL = "all"
KINDS = ("frame labels", "sequence labels")  # of all training clips
REFERENCE = "kd"  # the method that costs and gains are given beside


class Measured(NamedTuple):
    """One row's result on one data set."""

    name: str
    method: str
    config: str
    metadata: Tree
    result: Tree
    weights: Sequence[Tree] = ()

    @property
    def values(self) -> dict[int, float]:
        """The primary metric by seed."""
        return {seed: metrics[self.result["Primary"]] for seed, metrics in self.result["Seeds"].items()}

    @property
    def group(self) -> tuple[str, str, str]:
        """Data set, protocol, label setting with what else makes it another experiment: what stands in one table."""
        protocol = self.result["Protocol"] or NOT_RUN
        labels = label_setting(self.result["Labels"], self.result["Teacher Labels"])
        return self.result["Dataset"], protocol, ", ".join([labels, *self.circumstances])

    @property
    def budget(self) -> Budget:
        """What the row was given."""
        inputs = self.metadata.get("Inputs")
        return Budget(
            self.metadata["Epochs"],
            self.metadata["Steps"],
            self.result["Labels"],
            self.result["Teacher Labels"],
            tuple(inputs) if inputs else None,
        )

    @property
    def doubts(self) -> list[str]:
        """Why the result is not to be relied on; entries that do not say it have their seeds and commits."""
        if "Unreliable" in self.metadata:
            return list(self.metadata["Unreliable"])
        few = [f"fewer than {MIN_SEEDS} seeds"] if len(self.values) < MIN_SEEDS else []
        return few + (["uncommitted changes"] if self.metadata["Dirty"] else [])

    @property
    def lone_student(self) -> str:
        """The student to compare with: the row's own, or the one that it names instead."""
        student: str = self.metadata.get("Lone Student") or self.metadata["Student"]
        return student

    @property
    def options(self) -> list[str]:
        """What was set otherwise than in the row, as its name says it: ``["model.distiller.tau=2.0"]``."""
        swapped = {f"{slot}={part}" for slot, part in (self.metadata.get("Swapped") or {}).items()}
        return [change for change in self.name.split("+")[1:] if change not in swapped]

    @property
    def variations(self) -> list[str]:
        """Those of the options that make it another method."""
        return [option for option in self.options if option.startswith("model.")]

    @property
    def circumstances(self) -> list[str]:
        """The other options, which make it another experiment."""
        return [option for option in self.options if not option.startswith("model.")]

    @property
    def fingerprints(self) -> dict[int, str]:
        """The first figures of the hash of each seed's student."""
        return {entry["Seed"]: str(entry["SHA256"])[:8] for entry in self.weights}


def measured(metafiles: Iterable[Tree]) -> list[Measured]:
    """Every result of the metafiles."""
    return [
        Measured(
            model["Name"],
            model["In Collection"],
            model["Config"],
            model["Metadata"],
            result,
            model.get("Weights", ()),
        )
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


def student_alone(entry: Measured, context: Sequence[Measured]) -> Measured | None:
    """The baseline of the same student on the same data and labels; one with the same budget before others.

    Peers are compared with one of them alone: their row says which (``lone_student``).
    """
    wanted = ("Dataset", "Protocol", "Labels", "Primary")
    found = [
        other
        for other in context
        if other.method == BASELINE
        and other.metadata["Student"] == entry.lone_student
        and all(other.result[key] == entry.result[key] for key in wanted)
    ]
    return min(found, key=lambda other: (_length(other) != _length(entry), other.name), default=None)


def taught_by_kd(entry: Measured, context: Sequence[Measured]) -> Measured | None:
    """KD with the same teacher, student and data, unless it is ``entry`` itself."""
    other = with_kd(entry, context)
    taught_alike = other and teacher_part(other) == teacher_part(entry)
    return other if other and taught_alike and other.name != entry.name else None


def is_kd(entry: Measured) -> bool:
    """Whether it is KD's own row, or another's into which KD was swapped (``kd``, or a recipe ``<data set>_kd``)."""
    swapped = (entry.metadata.get("Swapped") or {}).get("distiller")
    return entry.method == REFERENCE if swapped is None else str(swapped).split("_")[-1] == REFERENCE


def with_kd(entry: Measured, context: Sequence[Measured]) -> Measured | None:
    """KD with the same data, labels and student; one with the same teacher and options before others."""
    same = ("Data", "Training Samples")
    peers = [
        other
        for other in context
        if is_kd(other)
        and other.metadata["Student"] == entry.lone_student
        and other.result["Labels"] == entry.result["Labels"]
        and all(other.metadata[key] == entry.metadata[key] for key in same)
    ]

    def distance(peer: Measured) -> tuple[bool, bool, str]:
        return teacher_part(peer) != teacher_part(entry), peer.options != entry.options, peer.name

    return min(peers, key=distance, default=None)


def teacher_part(entry: Measured) -> str | None:
    """The part that the teacher is made from."""
    return (entry.metadata["Teacher"] or {}).get("Part")


def is_lone(entry: Measured) -> bool:
    """Whether nothing was distilled."""
    return entry.metadata["Teacher"] is None and entry.metadata["Distiller"] is None


def _length(entry: Measured) -> tuple[Any, ...]:
    return tuple(entry.metadata[key] for key in ("Epochs", "Steps"))
