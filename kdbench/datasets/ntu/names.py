"""Names of NTU RGB+D samples, and the protocols, which are rules over them.

``S001C002P003R002A013``: setup, camera, performer, repetition, action, all counted from 1. Shahroudy et al., CVPR 2016
(60 actions); Liu et al., PAMI 2020 (120).
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from ...registry import near
from ...spec import InvalidDataError

ACTIONS = {"60": 60, "120": 120}
SETUPS = {"60": 17, "120": 32}
MUTUAL = frozenset((*range(50, 61), *range(106, 121)))  # actions of two persons
_NAME = re.compile(r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})(?:_rgb)?(?:\.\w+)?", re.ASCII)
_SUBJECTS_60 = frozenset((1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38))
_SUBJECTS_120 = _SUBJECTS_60 | {
    45, 46, 47, 49, 50, 52, 53, 54, 55, 56, 57, 58, 59, 70, 74, 78, 80, 81, 82, 83, 84, 85, 86, 89, 91, 92, 93, 94, 95,
    97, 98, 100, 103,
}  # fmt: skip


class Name(NamedTuple):
    """One sample."""

    setup: int
    camera: int
    performer: int
    repetition: int
    action: int

    @classmethod
    def parse(cls, text: str) -> "Name":
        """The numbers of a name, each 1 or more, which may have an ending (``.skeleton``, ``_rgb.avi``).

        >>> Name.parse("S001C002P003R002A013.skeleton")
        Name(setup=1, camera=2, performer=3, repetition=2, action=13)
        """
        found = _NAME.fullmatch(text)
        numbers = [int(number) for number in found.groups()] if found else [0]
        if not all(numbers):
            raise InvalidDataError(f"{text!r} is no name of NTU RGB+D; names are like S001C002P003R002A013")
        return cls(*numbers)

    def __str__(self) -> str:
        return "S{:03}C{:03}P{:03}R{:03}A{:03}".format(*self)

    @property
    def label(self) -> int:
        """The class, from 0."""
        return self.action - 1

    @property
    def group(self) -> tuple[int, int, int, int]:
        """What the cameras of one take share: setup, performer, repetition, action."""
        return self.setup, self.performer, self.repetition, self.action

    def is_in(self, edition: str) -> bool:
        """Whether NTU RGB+D ``"60"`` has it, or ``"120"``, which has all."""
        return self.setup <= SETUPS[edition] and self.action <= ACTIONS[edition]


def is_name(text: str) -> bool:
    """Whether ``Name.parse`` takes a text.

    >>> is_name("S001C002P003R002A013.skeleton"), is_name("S001C002P003R002A013 (1).skeleton")
    (True, False)
    """
    try:
        return bool(Name.parse(text))
    except InvalidDataError:
        return False


class Protocol(NamedTuple):
    """The edition that a protocol belongs to, and the rule by which a sample trains."""

    edition: str
    field: str
    train: frozenset[int]

    def split(self, name: Name) -> str:
        """``"train"`` or ``"test"``."""
        return "train" if getattr(name, self.field) in self.train else "test"


PROTOCOLS = {
    "xsub-60": Protocol("60", "performer", _SUBJECTS_60),
    "xview-60": Protocol("60", "camera", frozenset((2, 3))),
    "xsub-120": Protocol("120", "performer", _SUBJECTS_120),
    "xset-120": Protocol("120", "setup", frozenset(range(2, 33, 2))),
}


# Samples of train and test that are not in the lists of missing skeletons.
COUNTS = {
    "xsub-60": (40_091, 16_487),
    "xview-60": (37_646, 18_932),
    "xsub-120": (63_026, 50_919),
    "xset-120": (54_468, 59_477),
}


def protocol_of(name: str) -> Protocol:
    """A protocol by its name."""
    if name not in PROTOCOLS:
        raise ValueError(f"protocol '{name}' is unknown; {near(name, PROTOCOLS)}")
    return PROTOCOLS[name]


def in_split(names: Iterable[Name], protocol: str, split: str) -> list[Name]:
    """The samples of a split, in their order; those of another edition are left out.

    >>> samples = [Name.parse("S001C001P001R001A001"), Name.parse("S001C001P003R001A001")]
    >>> [str(name) for name in in_split(samples, "xsub-60", "test")]
    ['S001C001P003R001A001']
    """
    rule = protocol_of(protocol)
    if split not in ("train", "test"):
        raise ValueError(f"protocol '{protocol}' has no split '{split}'; there is: train, test")
    return [name for name in names if name.is_in(rule.edition) and rule.split(name) == split]


def read_missing(path: Path) -> frozenset[Name]:
    """The samples that a list of missing skeletons names: two lines of prose, an empty one, a name a line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise InvalidDataError(
            f"{path}, the list of missing skeletons, is missing; it is in the authors' repository"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidDataError(f"{path}, the list of missing skeletons, was not read: {error}") from error
    names = frozenset(Name.parse(line.strip()) for line in lines if is_name(line.strip()))
    if not names:
        raise InvalidDataError(f"{path} names no sample; a list of missing skeletons has one name a line")
    return names


def groups(names: Sequence[Name], protocol: str) -> dict[tuple[int, int, int, int], tuple[Name, ...]]:
    """The cameras of each take, one to three, in their order; a take is in one split whole.

    Cross-view protocols part the cameras of every take, so that they have no groups: a ``ValueError``.
    """
    if protocol_of(protocol).field == "camera":
        others = ", ".join(name for name, rule in PROTOCOLS.items() if rule.field != "camera")
        raise ValueError(f"protocol '{protocol}' splits by camera, so no take has views; there is: {others}")
    found: dict[tuple[int, int, int, int], list[Name]] = {}
    for name in sorted(names):
        found.setdefault(name.group, []).append(name)
    return {group: tuple(members) for group, members in found.items()}
