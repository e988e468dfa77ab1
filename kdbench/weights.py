"""Weights of one network in a file: safetensors, or a foreign ``.pth`` read without executing anything in it."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from .spec import MissingWeightsError

RANDOM = "random"  # what a config says when a teacher is meant to be untrained
TIMM = "timm"  # the folder of files that bear the name of a model of the library timm
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
        raise MissingWeightsError(  # without torch's own text, which advises to load it unsafely
            f"{path} holds more than tensors, or is no weight file; it is not loaded, as it could run code; save its "
            "state_dict alone, best as .safetensors"
        ) from error
    return state.get("state_dict", state)


def load_weights(model: nn.Module, path: str | Path, prefix: str = "") -> None:
    """Load all of ``model`` from ``path``. A mismatch is a ``MissingWeightsError``.

    With ``prefix`` the file is a larger network's, of which the keys that begin so are read; where none does, all are.
    """
    state = read_weights(path)
    own = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    _fill(model, own or state, path)


def load_renamed(
    model: nn.Module, path: str | Path, names: Sequence[tuple[str, str]], left_out: Sequence[str] = ()
) -> None:
    """Load all of ``model`` from a file of another library, whose keys ``names`` turn into ours.

    ``names`` are pairs (regular expression, replacement), applied in turn; keys that begin with one of ``left_out``,
    such as those of a classifier, are not read. Axes of length one may stand elsewhere: a token ``(1, 1, D)`` is one
    ``(D,)``. Whatever else does not fit, or is missing, is a ``MissingWeightsError``.
    """
    own, state = model.state_dict(), {}
    for key, value in read_weights(path).items():
        if key.startswith(tuple(left_out)):
            continue
        for pattern, ours in names:
            key = re.sub(pattern, ours, key)
        same = key in own and value.squeeze().shape == own[key].squeeze().shape
        state[key] = value.reshape(own[key].shape) if same else value
    _fill(model, state, path)


def _fill(model: nn.Module, state: dict[str, Tensor], path: str | Path) -> None:
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise MissingWeightsError(f"{path} does not fit {type(model).__name__}: {error}") from error


def load_modules(model: nn.Module, path: str | Path, modules: Sequence[str]) -> None:
    """Load these submodules of ``model`` from the same places of the network in ``path``; the rest stays as it is.

    A module that one of them does not have, or that is another there, is a ``MissingWeightsError``.
    """
    state = read_weights(path)
    for place in modules:
        own = {key.removeprefix(f"{place}."): v for key, v in state.items() if key.startswith(f"{place}.")}
        try:
            model.get_submodule(place).load_state_dict(own)
        except (AttributeError, RuntimeError) as error:
            raise MissingWeightsError(
                f"'{place}' of {path} does not fit {type(model).__name__}: {error}"
            ) from error


def _remedy(path: Path) -> str:
    """How to make a file that a training run of ours would have written, or to get one of timm's."""
    parts = path.parts
    if path.parent.name == TIMM:
        page = f"https://huggingface.co/timm/{path.stem}/resolve/main/model{path.suffix}"
        return f'; download {page} and save it so, or say weights="{RANDOM}" in its place'
    of_a_run = path.name in ("student.safetensors", "distiller.safetensors")
    if "work_dirs" in parts and of_a_run and len(path.parents) > 2:
        start = parts.index("work_dirs") + 1
        row, seed = "/".join(parts[start:-2]), parts[-2].removeprefix("seed")
        return f"; make it with: python tools/train.py configs/{row}.py --seed {seed}"
    return '; give an existing file, or weights="random" for an untrained teacher'
