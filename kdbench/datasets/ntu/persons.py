"""From tracked bodies to at most two persons, and their common pose (PYSKL's recipe; Duan et al., ACM MM 2022)."""

from collections.abc import Sequence

import numpy as np

from ...spec import InvalidDataError
from ..transforms.rotation import between
from .skeleton_file import JOINTS, Body, Recording

SHORT = 11  # bodies of so many frames or fewer are glimpses of furniture
WIDE, MOSTLY = 0.8, 0.69754  # a body wider than 0.8 of its height in that share of its frames is none
SPINE_BASE, SPINE_MIDDLE, LEFT_SHOULDER, RIGHT_SHOULDER = 0, 1, 4, 8


def two_persons(recording: Recording) -> np.ndarray:
    """The persons of a recording, ``(M, T, 25, 3)`` float32 metres, M 1 or 2; zeros where a person is not there.

    Frames that show nobody are left out. Of several bodies, those of a few frames and those wider than high go; the
    most mobile is the first person, together with bodies that do not overlap it in time, the rest the second. Both ends
    are trimmed of frames without either; the person who starts is the first. No body is an ``InvalidDataError``.
    """
    if not recording.bodies:
        raise InvalidDataError("no frame shows a body")
    shown = np.unique(np.concatenate([body.frames for body in recording.bodies]))
    slots = _slots(_plausible(recording.bodies))
    persons = np.zeros((len(slots), len(shown), JOINTS, 3), np.float32)
    for person, bodies in zip(persons, slots, strict=True):
        for body in bodies:
            person[np.searchsorted(shown, body.frames)] = body.position
    there = np.flatnonzero(persons.any((0, 2, 3)))
    persons = persons[:, there[0] : there[-1] + 1]
    return persons if persons[0, 0].any() else persons[::-1].copy()


def motion(body: Body) -> float:
    """How much a body moves: the variance over time of every coordinate, summed."""
    return float(body.position.var(0).sum())


def _plausible(bodies: Sequence[Body]) -> list[Body]:
    """The bodies that may be persons, the most mobile first; all, if none of several may be."""
    kept = [body for body in bodies if len(body.frames) > SHORT and not _is_wide(body)]
    found = kept if len(bodies) > 1 and kept else bodies
    return sorted(found, key=motion, reverse=True)


def _is_wide(body: Body) -> bool:
    width, height = np.ptp(body.position[..., :2], axis=1).T
    return float((width > WIDE * height).mean()) >= MOSTLY


def _slots(bodies: Sequence[Body]) -> list[list[Body]]:
    """The bodies of each person; the second person is left out where nobody is left for it."""
    first, second = [bodies[0]], []
    for body in bodies[1:]:
        overlaps = any(body.frames[0] <= own.frames[-1] and own.frames[0] <= body.frames[-1] for own in first)
        (second if overlaps else first).append(body)
    return [first, second] if second else [first]


def pre_normalised(persons: np.ndarray) -> np.ndarray:
    """Persons ``(M, T, 25, 3)`` about the first one's mid spine: spine along z, right to left shoulder along x.

    Origin and turns are those of the first frame. Only frames with the first person are kept; of two persons the one
    with more frames is the first. Joints of zeros stay zeros (PreNormalize3D of PYSKL).
    """
    if len(persons) > 1 and persons[1].any((1, 2)).sum() > persons[0].any((1, 2)).sum():
        persons = persons[::-1]
    persons = persons[:, persons[0].any((1, 2))]
    there = persons.any(-1, keepdims=True)
    centred = (persons - persons[0, 0, SPINE_MIDDLE]) * there
    spine = centred[0, 0, SPINE_MIDDLE] - centred[0, 0, SPINE_BASE]
    centred = centred @ between(spine, np.array([0.0, 0.0, 1.0])).T
    shoulders = centred[0, 0, LEFT_SHOULDER] - centred[0, 0, RIGHT_SHOULDER]
    turned = centred @ between(shoulders, np.array([1.0, 0.0, 0.0])).T
    return turned.astype(np.float32)
