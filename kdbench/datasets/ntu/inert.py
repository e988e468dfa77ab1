"""Pickles of arrays, texts and numbers, read without calling anything that they name.

A pickle names functions, their arguments, and the state that their results shall take. NumPy's own ones trust that
state: a ``dtype`` whose flags are changed takes bytes for addresses. So every name has a stand-in here, which checks
what it is given and keeps it; ``real`` makes the array afterwards, out of bytes, a plain dtype and a shape.
"""

import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ...spec import InvalidDataError

_PLAIN = re.compile(r"[biufSU]\d+", re.ASCII)  # booleans, integers, floats, bytes, texts
_ORDERS = ("<", ">", "=", "|")


class _Inert:
    """What a pickle may hold; it sets the state of those only that take one."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("it changes what it may only use")


class _Function(_Inert):
    """What a pickle may call; a function itself would let its attributes be set."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]):
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)


class _DType(_Inert):
    """A dtype of plain values; its state may tell the order of bytes and nothing else."""

    __slots__ = ("dtype",)

    def __init__(self, code: Any, *_: Any):
        if not isinstance(code, str) or not _PLAIN.fullmatch(code):
            raise pickle.UnpicklingError(
                f"it has a dtype {str(code)[:40]!r}, which is no plain number or text"
            )
        self.dtype = np.dtype(code)

    def __setstate__(self, state: Any) -> None:
        # Version, order, subarray, names, fields, size, alignment, flags.
        own: Any = self.dtype.__reduce__()[2]
        if not isinstance(state, tuple) or len(state) != len(own):
            raise pickle.UnpicklingError("it has a dtype with a state of another form")
        if state[1] not in _ORDERS or (state[0], *state[2:]) != (own[0], *own[2:]):
            raise pickle.UnpicklingError("it has a dtype with fields, names or flags")
        self.dtype = self.dtype.newbyteorder(state[1])


class _Array(_Inert):
    """An array, or a scalar: bytes, dtype and shape, and how the values lie."""

    __slots__ = ("axes", "dtype", "order", "raw", "shape")

    def __init__(self) -> None:
        self.raw: bytes | bytearray | None = None

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) != 5 or state[0] != 1:
            raise pickle.UnpicklingError("it has an array with a state of another form")
        _, shape, dtype, is_fortran, raw = state
        self.fill(raw, dtype, shape, "F" if is_fortran else "C")

    def fill(self, raw: Any, dtype: Any, shape: Any, order: Any, axes: Any = None) -> "_Array":
        """Keep what makes the array, of the right types; whether they fit is seen in ``real``."""
        if not isinstance(raw, bytes | bytearray) or not isinstance(dtype, _DType) or not _is_shape(shape):
            raise pickle.UnpicklingError("it has an array that is not made of bytes, a dtype and a shape")
        if order not in ("C", "F") and (order != "K" or not _is_shape(axes)):
            raise pickle.UnpicklingError("it has an array whose values lie in no known order")
        self.raw, self.dtype, self.shape, self.order = raw, dtype, shape, order
        self.axes = axes if order == "K" else None
        return self

    def real(self) -> Any:
        if self.raw is None:
            raise ValueError("there are no values")
        values = np.frombuffer(self.raw, self.dtype.dtype)
        if not self.shape:
            return values.reshape(())[()]
        if self.axes is None:
            return values.reshape(self.shape, order=self.order)
        return values.reshape(self.shape).transpose(self.axes)


def _is_shape(shape: Any) -> bool:
    return isinstance(shape, tuple) and all(isinstance(size, int) and size >= 0 for size in shape)


def _reconstruct(kind: Any, *_: Any) -> _Array:
    if kind is not _NDARRAY:
        raise pickle.UnpicklingError("it makes an array that is none")
    return _Array()


def _frombuffer(raw: Any, dtype: Any, shape: Any, order: Any, axes: Any = None) -> _Array:
    return _Array().fill(raw, dtype, shape, order, axes)


def _scalar(dtype: Any, raw: Any) -> _Array:
    return _Array().fill(raw, dtype, (), "C")


def _encode(text: Any, codec: Any) -> bytes:
    """How old protocols write bytes; other codecs would be imported by name."""
    if not isinstance(text, str) or codec != "latin1":
        raise pickle.UnpicklingError("it encodes a text by another codec than latin1")
    return text.encode("latin1")


_NDARRAY = _Inert()  # an argument of _reconstruct, never called itself
_STAND_INS = {
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): _Function(_DType),
    ("numpy._core.multiarray", "_reconstruct"): _Function(_reconstruct),
    ("numpy._core.multiarray", "scalar"): _Function(_scalar),
    ("numpy._core.numeric", "_frombuffer"): _Function(_frombuffer),
    ("_codecs", "encode"): _Function(_encode),
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        # NumPy 2 has moved its core; pickles know either name.
        found = _STAND_INS.get((module.replace("numpy.core", "numpy._core"), name))
        if found is None:
            raise pickle.UnpicklingError(f"it wants {module}.{name}, which is no array")
        return found


def load(path: Path) -> Any:
    """The content of a pickle, stand-ins in the place of arrays; what names anything else raises, as does damage."""
    with path.open("rb") as file:
        return _Unpickler(file).load()


def real(value: Any) -> Any:
    """The array or scalar, which may be read-only, that a stand-in is for; anything else as it is.

    Values that do not make one are an ``InvalidDataError``.
    """
    if not isinstance(value, _Array):
        return value
    try:
        return value.real()
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidDataError(f"has an array that is not whole: {error}") from error
