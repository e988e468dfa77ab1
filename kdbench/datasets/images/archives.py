"""Published archives: unpacked or still a .tar.gz, verified by MD5, their pickles read without executing anything."""

import hashlib
import io
import pickle
import tarfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...spec import InvalidDataError

BROKEN_TAR = (tarfile.TarError, zlib.error, EOFError, OSError)  # what a damaged .tar.gz raises


class Packing(NamedTuple):
    """One published form of a data set: its archive, the folder inside, and the MD5 of the archive and of each file."""

    archive: str
    md5: str
    folder: str
    files: Mapping[str, str]


def find_packing(root: Path, packings: Mapping[str, Packing], remedy: str) -> tuple[str, Path]:
    """The name of the first packing that ``root`` holds, and its folder or archive; folders come first."""
    for name, packing in packings.items():
        if (root / packing.folder).is_dir():
            return name, root / packing.folder
    for name, packing in packings.items():
        if (root / packing.archive).is_file():
            return name, root / packing.archive
    wanted = [item for p in packings.values() for item in (f"{p.folder}/", p.archive)]
    there = sorted(path.name for path in root.iterdir())[:8] if root.is_dir() else []
    raise InvalidDataError(
        f"{root} has none of {', '.join(wanted)}; there is: {', '.join(there) or 'nothing'}; {remedy}"
    )


def read_files(
    path: Path, packing: Packing, names: list[str], remedy: str, checksum: bool = True
) -> dict[str, bytes]:
    """The content of the named files of a packing, from its folder or its archive at ``path``.

    With ``checksum`` the archive, or each file of a folder, must have its published MD5. Nothing is unpacked to disk.
    """
    if path.is_dir():
        return {name: _file(path / name, packing.files[name] if checksum else None, remedy) for name in names}
    if checksum:
        verify(path, file_md5(path), packing.md5, remedy)
    contents = _members(path, {f"{packing.folder}/{name}": name for name in names}, remedy)
    absent = [name for name in names if name not in contents]
    if absent:
        raise InvalidDataError(f"{path} has no {packing.folder}/{absent[0]}; {remedy}")
    return contents


def file_md5(path: Path) -> str:
    """The MD5 of a file, read in pieces."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while piece := file.read(1 << 22):
            digest.update(piece)
    return digest.hexdigest()


def verify(path: Path, found: str, expected: str, remedy: str) -> None:
    """Refuse a file whose MD5 is not the published one."""
    if found != expected:
        raise InvalidDataError(
            f"{path} has the MD5 {found}, the published one is {expected}; {remedy}, "
            "or say checksum=False if it is a copy of your own"
        )


def _file(path: Path, expected: str | None, remedy: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidDataError(f"{path} cannot be read ({error.strerror}); {remedy}") from None
    if expected is not None:
        verify(path, hashlib.md5(content, usedforsecurity=False).hexdigest(), expected, remedy)
    return content


def _members(path: Path, wanted: Mapping[str, str], remedy: str) -> dict[str, bytes]:
    contents: dict[str, bytes] = {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                name = wanted.get(member.name.removeprefix("./"))
                file = archive.extractfile(member) if name else None
                if name and file:
                    contents[name] = file.read()
                if len(contents) == len(wanted):
                    break
    except BROKEN_TAR as error:
        raise InvalidDataError(f"{path} is truncated or damaged ({error}); {remedy}") from error
    return contents


def _encoded(text: str, encoding: str) -> bytes:
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"text in the encoding {encoding!r}")
    return text.encode("latin1")


def _from_buffer(buffer: bytes, dtype: np.dtype, shape: tuple[int, ...], order: str) -> np.ndarray:
    return np.frombuffer(buffer, dtype).reshape(shape, order=order)


# What a pickle of arrays, lists, text and numbers names; it names nothing for the plain ones among these.
_REBUILD = np.zeros(0).__reduce__()[0]
_ALLOWED: dict[tuple[str, str], Callable] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _encoded,  # bytes, as Python 3 writes them for Python 2
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _REBUILD for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _from_buffer for core in ("core", "_core")},
}


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(
                f"it asks for {module}.{name}, and pictures and labels need nothing like it"
            )
        return _ALLOWED[module, name]


def read_pickle(content: bytes, path: Path, remedy: str) -> dict[str, Any]:
    """The dict that a pickle of Python 2 or 3 holds, its keys as text.

    Only NumPy arrays and plain Python values are made; a pickle that names anything else is refused before that is
    even imported.
    """
    try:
        made = _ArraysOnly(io.BytesIO(content), encoding="bytes").load()
    except Exception as error:  # a damaged pickle raises about anything
        raise InvalidDataError(f"{path} is not a pickle of arrays ({error}); {remedy}") from error
    if not isinstance(made, dict):
        raise InvalidDataError(f"{path} holds a {type(made).__name__}, not a dict; {remedy}")
    return {
        key.decode("latin1") if isinstance(key, bytes) else str(key): value for key, value in made.items()
    }
