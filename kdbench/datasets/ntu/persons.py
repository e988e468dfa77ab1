"""From tracked bodies to at most two persons, and their common pose (PYSKL's recipe; Duan et al., ACM MM 2022)."""

from collections.abc import Sequence

import numpy as np

from ...spec import InvalidDataError
from ..transforms.rotation import between
from .skeleton_file import JOINTS, Body, Recording

SHORT = 11  # bodies of so many frames or fewer are glimpses of furniture
# A body wider than 0.8 of its height in that share of its frames, or more, is none.
WIDE, MOSTLY = 0.8, 0.69754
SPINE_BASE, SPINE_MIDDLE, LEFT_SHOULDER, RIGHT_SHOULDER = 0, 1, 4, 8


def two_persons(recording: Recording) -> np.ndarray:
    """The persons of a recording, ``(M, T, 25, 3)`` float32 metres, M 1 or 2; zeros where a person is not there.

    Frames that show nobody are left out. Of several bodies, those of a few frames and those wider than high go; the
    most mobile is the first person, together with bodies that do not overlap it in time; others are the second in the
    same way, and one that overlaps both is left out. Both ends are trimmed of frames without either; the person who
    starts is the first. No body, or no position but zeros, is an ``InvalidDataError``.

    PYSKL takes the frames of a body as consecutive; here a body that was lost for a while keeps the frames of its file,
    zeros in between. Where none of several bodies passes, PYSKL's converter stops, and here all of them are taken.
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
    if not len(there):
        raise InvalidDataError("all positions are zero")
    persons = persons[:, there[0] : there[-1] + 1]
    return persons if persons[0, 0].any() else persons[::-1].copy()


def motion(positions: np.ndarray) -> float:
    """How much a body ``(T, 25, 3)`` moves: the variance of x, y and z over all frames and joints together, summed."""
    return float(positions.reshape(-1, 3).var(0).sum())


def _plausible(bodies: Sequence[Body]) -> list[Body]:
    """The bodies that may be persons, the most mobile first; all, if none of several may be."""
    ranked = sorted(bodies, key=lambda body: motion(body.position), reverse=True)
    lasting = [body for body in ranked if len(body.frames) > SHORT]
    if len(ranked) == 1 or len(lasting) == 1:
        return lasting or ranked
    moving = [(found, body) for body in lasting if (found := _motion_of_narrow(body)) is not None]
    return [body for _, body in sorted(moving, key=lambda pair: pair[0], reverse=True)] or ranked


def _motion_of_narrow(body: Body) -> float | None:
    """The motion of a body, or that of its narrow frames alone if it is smaller; None if most frames are wide."""
    width, height = np.ptp(body.position[..., :2], axis=1).T
    is_narrow = width <= WIDE * height
    if 1 - is_narrow.mean() >= MOSTLY:
        return None
    return min(motion(body.position), motion(body.position[is_narrow]))


def _slots(bodies: Sequence[Body]) -> list[list[Body]]:
    """The bodies of each person; the second person is left out where nobody is left for it.

    A body goes to the first person whose stretch of frames it does not meet, and widens that stretch. The second one's
    begins as the empty stretch before frame 0, as in PYSKL, so that once widened it reaches from there.
    """
    slots: list[list[Body]] = [[bodies[0]], []]
    stretches = [_stretch(bodies[0]), (0, 0)]
    for body in bodies[1:]:
        start, end = _stretch(body)
        for person, (first, last) in enumerate(stretches):
            if max(first, start) >= min(last, end):
                slots[person].append(body)
                stretches[person] = min(first, start), max(last, end)
                break
    return [slot for slot in slots if slot]


def _stretch(body: Body) -> tuple[int, int]:
    """The first frame of a body and the one after its last."""
    return int(body.frames[0]), int(body.frames[-1]) + 1


def pre_normalised(persons: np.ndarray) -> np.ndarray:
    """Persons ``(M, T, 25, 3)`` about the first one's mid spine: spine along z, left to right shoulder along x.

    Origin and turns are those of the first frame. Only frames with the first person are kept; of two persons the one
    with more frames is the first. Joints of zeros stay zeros (PreNormalize3D of PYSKL, and 2s-AGCN's preparation, whose
    axis is joint 8 less joint 4: Kinect's x grows to the right of a person who faces it, so that turn is a small one).
    """
    if len(persons) > 1 and persons[1].any((1, 2)).sum() > persons[0].any((1, 2)).sum():
        persons = persons[::-1]
    persons = persons[:, persons[0].any((1, 2))]
    there = persons.any(-1, keepdims=True)
    centred = (persons - persons[0, 0, SPINE_MIDDLE]) * there
    spine = centred[0, 0, SPINE_MIDDLE] - centred[0, 0, SPINE_BASE]
    centred = centred @ between(spine, np.array([0.0, 0.0, 1.0])).T
    shoulders = centred[0, 0, RIGHT_SHOULDER] - centred[0, 0, LEFT_SHOULDER]
    turned = centred @ between(shoulders, np.array([1.0, 0.0, 0.0])).T
    return turned.astype(np.float32)
