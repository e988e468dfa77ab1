"""Weights of one network in a file: safetensors, or a foreign ``.pth`` read without executing anything in it."""

import hashlib
import re
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from .spec import MissingWeightsError

RANDOM = "random"  # what a config says when a teacher is meant to be untrained
_HASH_IN_NAME = re.compile(r"-([0-9a-f]{8})$")


def file_hash(path: str | Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return (
            hashlib.file_digest(file, "sha256").hexdigest()
            if hasattr(hashlib, "file_digest")
            else _digest(file)
        )


def _digest(file) -> str:  # Python 3.10 has no hashlib.file_digest
    digest = hashlib.sha256()
    for block in iter(lambda: file.read(1 << 20), b""):
        digest.update(block)
    return digest.hexdigest()


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a ``.safetensors`` or ``.pth`` file; ``NAME-<hash8>.*`` must have that hash.

    A missing, damaged or executable file is a ``MissingWeightsError`` that says what to do.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingWeightsError(f"there is no weight file {path}{_remedy(path)}")
    named = _HASH_IN_NAME.search(path.stem)
    if named and not file_hash(path).startswith(named[1]):
        raise MissingWeightsError(
            f"{path} is not the file that its name says; its hash is {file_hash(path)[:8]}"
        )
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, OSError, RuntimeError, EOFError, ValueError) as error:
        raise MissingWeightsError(f"{path} is damaged or no weight file: {error}") from error
    except Exception as error:  # the unpickler's refusals have no common base
        raise MissingWeightsError(f"{path} holds more than tensors and is not loaded: {error}") from error
    return state.get("state_dict", state)


def load_weights(model: nn.Module, path: str | Path, prefix: str = "") -> None:
    """Load all of ``model`` from ``path``; keys may carry ``prefix``. A mismatch is a ``MissingWeightsError``."""
    state = {key.removeprefix(prefix): value for key, value in read_weights(path).items()}
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise MissingWeightsError(f"{path} does not fit {type(model).__name__}: {error}") from error


def _remedy(path: Path) -> str:
    """How to make a file that a training run of ours would have written."""
    parts = path.parts
    of_a_run = path.name in ("student.safetensors", "distiller.safetensors")
    if "work_dirs" in parts and of_a_run and len(path.parents) > 2:
        start = parts.index("work_dirs") + 1
        row, seed = "/".join(parts[start:-2]), parts[-2].removeprefix("seed")
        return f"; make it with: python tools/train.py configs/{row}.py --seed {seed}"
    return '; give an existing file, or weights="random" for an untrained teacher'
