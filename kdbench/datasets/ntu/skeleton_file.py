"""The ``.skeleton`` text files of NTU RGB+D.

Grammar, in tokens: the number of frames; for each frame the number of bodies; for each body an id, nine numbers, the
number of joints (25), and twelve numbers for each joint: x y z (metres, of the camera), depth x y, colour x y
(pixels), orientation w x y z, tracking state 0..2. Line ends may be of any kind.
"""

import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...spec import InvalidDataError

JOINTS, BODY_NUMBERS, JOINT_NUMBERS = 25, 10, 12
_LARGEST = np.finfo(np.float32).max


class Body(NamedTuple):
    """One tracked body: a 64-bit ``id``, the ``frames`` ``(T,)`` that show it, ``joints`` ``(T, 25, 12)`` float64."""

    id: int
    frames: np.ndarray
    joints: np.ndarray

    @property
    def position(self) -> np.ndarray:
        """``(T, 25, 3)`` metres."""
        return self.joints[..., :3]


class Recording(NamedTuple):
    """A file: the number of its frames (some may show nobody) and its bodies in the order of their first frames."""

    frames: int
    bodies: tuple[Body, ...]


def read_skeleton_file(path: Path) -> Recording:
    """A file, checked whole; a truncated, empty or damaged one is an ``InvalidDataError`` that names it."""
    try:
        return parse_skeletons(path.read_bytes())
    except FileNotFoundError:
        raise InvalidDataError(f"{path} is missing") from None
    except OSError as error:
        raise InvalidDataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except InvalidDataError as error:
        raise InvalidDataError(f"{path}: {error}; take that file from the source again") from None


def is_finite(positions: np.ndarray) -> bool:
    """Whether float32, in which they are kept, can hold all of them."""
    return bool((np.abs(positions) <= _LARGEST).all())


def parse_skeletons(text: bytes) -> Recording:
    """The recording in a file's bytes."""
    tokens = text.split()
    numbers = _numbers(text, tokens)
    reader = _Reader(tokens, numbers)
    frames = reader.count("frames", least=1)
    places: dict[int, tuple[list[int], list[np.ndarray]]] = {}
    for frame in range(frames):
        for _ in range(reader.count(f"bodies in frame {frame}")):
            body, joints = reader.body(frame)
            there, values = places.setdefault(body, ([], []))
            there.append(frame)
            values.append(joints)
    reader.end()
    return Recording(
        frames,
        tuple(Body(body, np.array(there), np.stack(values)) for body, (there, values) in places.items()),
    )


def _numbers(text: bytes, tokens: list[bytes]) -> np.ndarray:
    """All tokens as float64; ids lose digits here and are read on their own."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "error", DeprecationWarning
            )  # how older NumPy tells that it stopped at a word
            numbers = np.fromstring(text.decode("ascii", "replace"), sep=" ")
    except (ValueError, DeprecationWarning):
        numbers = None
    if numbers is None or len(numbers) != len(tokens):
        strange = ((i, token) for i, token in enumerate(tokens, 1) if not _is_number(token))
        place, word = next(strange, (len(tokens), tokens[-1]))
        raise InvalidDataError(f"word {place} of {len(tokens)}, {word[:20]!r}, is no number")
    return numbers


def _is_number(token: bytes) -> bool:
    try:
        float(token)
    except ValueError:
        return False
    return True


class _Reader:
    """A place in the tokens of a file."""

    def __init__(self, tokens: list[bytes], numbers: np.ndarray):
        self.tokens, self.numbers, self.place = tokens, numbers, 0

    def count(self, what: str, least: int = 0) -> int:
        """A whole number, not below ``least``."""
        if self.place >= len(self.numbers):
            raise InvalidDataError(f"ends where the number of {what} should stand")
        value = self.numbers[self.place]
        if not (value >= least and float(value).is_integer()):
            raise InvalidDataError(f"has {self.tokens[self.place].decode()} as the number of {what}")
        self.place += 1
        return int(value)

    def body(self, frame: int) -> tuple[int, np.ndarray]:
        """The id of a body and its joints ``(25, 12)``."""
        if not self.tokens[self.place : self.place + 1]:
            raise InvalidDataError(f"ends within frame {frame}")
        try:
            identity = int(self.tokens[self.place])
        except ValueError:
            word = self.tokens[self.place].decode()
            raise InvalidDataError(f"has {word} as the id of a body in frame {frame}") from None
        self.place += BODY_NUMBERS
        joints = self.count(f"joints in frame {frame}")
        if joints != JOINTS:
            raise InvalidDataError(f"has {joints} joints in frame {frame}, not {JOINTS}")
        begin, self.place = self.place, self.place + JOINTS * JOINT_NUMBERS
        if self.place > len(self.numbers):
            raise InvalidDataError(f"ends within frame {frame}")
        values = self.numbers[begin : self.place].reshape(JOINTS, JOINT_NUMBERS)
        if not is_finite(values[:, :3]):
            raise InvalidDataError(f"has a position that is not finite in frame {frame}")
        return identity, values

    def end(self) -> None:
        """Nothing may follow."""
        if self.place != len(self.tokens):
            raise InvalidDataError(f"goes on for {len(self.tokens) - self.place} words after its last frame")
