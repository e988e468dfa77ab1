"""Checkpoints that a kill cannot damage and that cannot execute anything: safetensors with a digest inside."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..atomic import atomic_path, remove_leftovers, sync, write_text
from ..spec import KDBenchError
from ..weights import file_hash
from .state import flatten, unflatten

FORMAT = "kdbench-checkpoint-1"
POINTER = "last_checkpoint"  # the name that mmengine's own tools look for
_NAME = re.compile(r"step_(\d+)\.safetensors")


class CheckpointError(KDBenchError):
    """A checkpoint is damaged, or of another run."""

    exit_code = 5


def checkpoint_name(step: int) -> str:
    """The file name of a checkpoint after ``step`` training steps."""
    return f"step_{step}.safetensors"


def _save(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Replace a safetensors file in one step; a full disk is an ``OSError``, and the old content stays."""
    try:
        with atomic_path(path) as temporary:
            save_file(tensors, temporary, metadata)
    except SafetensorError as error:
        raise OSError(f"{path} was not written, what was there before stays: {error}") from error


def _separate(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors, each with a storage of its own: safetensors knows no views and no tied weights."""
    seen: set[int] = set()
    out = {}
    for name, tensor in tensors.items():
        storage = tensor.untyped_storage()
        if storage.data_ptr() in seen or storage.nbytes() != tensor.nbytes:
            tensor = tensor.clone()
        seen.add(tensor.untyped_storage().data_ptr())
        out[name] = tensor
    return out


def _digest(tensors: Mapping[str, Tensor], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(memoryview(tensor.reshape(-1).view(torch.uint8).numpy()))
    return digest.hexdigest()


def write_checkpoint(path: str | Path, tree: Any) -> None:
    """Write a tree (see ``state.flatten``) as one file, in one step."""
    tensors, text = flatten(tree)
    tensors = _separate(tensors)
    metadata = {"format": FORMAT, "tree": text, "sha256": _digest(tensors, text)}
    _save(Path(path), tensors, metadata)


def is_checkpoint(path: str | Path) -> bool:
    """Whether the file says that it is a checkpoint of ours (and not, say, the weights of one network)."""
    try:
        with safe_open(path, framework="pt") as file:
            return (file.metadata() or {}).get("format") == FORMAT
    except (SafetensorError, OSError):
        return False


def read_checkpoint(path: str | Path) -> Any:
    """The tree in a checkpoint; a missing, cut or altered file is a ``CheckpointError``."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        if metadata.get("format") != FORMAT:
            raise ValueError(f"its format is {metadata.get('format')}, not {FORMAT}")
        if metadata.get("sha256") != _digest(tensors, metadata["tree"]):
            raise ValueError("its digest does not match")
        return unflatten(tensors, metadata["tree"])
    except (SafetensorError, OSError, LookupError, ValueError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{path} is not a whole checkpoint: {error}") from error


def checkpoints(folder: str | Path) -> list[Path]:
    """The checkpoints in a folder, the last written first.

    Written last, not most steps: who resumes from an older file on purpose starts a new line of files.
    """
    found = [
        (p.stat().st_mtime_ns, int(m[1]), p) for p in Path(folder).iterdir() if (m := _NAME.fullmatch(p.name))
    ]
    return [path for *_, path in sorted(found, reverse=True)]


def newest_checkpoint(folder: str | Path, warn: Callable[[str], None]) -> Path | None:
    """The last written checkpoint that can be read, or None in a folder without any.

    Each damaged one costs a line of warning. If all are damaged that is a ``CheckpointError``: to start again from
    nothing is for a person to decide.
    """
    found = checkpoints(folder)
    for path in found:
        try:
            read_checkpoint(path)
            return path
        except CheckpointError as error:
            warn(f"skipped: {error}")
    if found:
        raise CheckpointError(
            f"none of the {len(found)} checkpoints in {folder} can be read; move them away to start from scratch"
        )
    return None


def add_checkpoint(folder: Path, step: int, tree: Any, keep: int) -> Path:
    """Write a checkpoint and point to it; only then delete all but the last ``keep``, and halves that a kill left."""
    path = folder / checkpoint_name(step)
    write_checkpoint(path, tree)
    write_text(folder / POINTER, path.name)
    for old in checkpoints(folder)[max(keep, 1) :]:
        old.unlink()
    for written in ("step_*.safetensors", POINTER):
        remove_leftovers(folder / written)
    return path


def save_weights(
    path: str | Path,
    state: Mapping[str, Tensor],
    about: Mapping[str, Any] | None = None,
    hashed: bool = False,
) -> Path:
    """Write the weights of a network as safetensors, in one step; ``hashed`` ends the name with ``-<hash8>``.

    ``about`` (plain values) is kept in the file as JSON. Equal weights and ``about`` give equal bytes.
    """
    path = Path(path)
    tensors = _separate({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()})
    metadata = {"about": json.dumps(dict(about or {}))}  # one entry: safetensors writes several in any order
    _save(path, tensors, metadata)
    if hashed:
        path = path.rename(path.with_name(f"{path.stem}-{file_hash(path)[:8]}{path.suffix}"))
        sync(path.parent)
    return path
