"""Checkpoints of mmengine, read without executing anything of them."""

import pickle
import re
from pathlib import Path
from typing import Any

from ..spec import InvalidDataError

# What its training runs keep beside tensors; of the second a method is kept, by ``getattr``.
_LEFT_OUT = (
    "logging.history_buffer.HistoryBuffer",
    "optim.scheduler.param_scheduler.OneCycleParamScheduler",
)


def mmengine_checkpoint(path: Path) -> dict[str, Any]:
    """The content of a checkpoint that mmengine wrote, on the CPU, without executing anything of it.

    Symptom: ``torch.load`` of torch 2.6 and later raises ``_pickle.UnpicklingError: Weights only load failed ...
    Unsupported global: GLOBAL mmengine.logging.history_buffer.HistoryBuffer``, and after it ``GLOBAL getattr``: the
    losses of the training run are in the file. Allowing both would let a hostile file call anything, so something
    that does nothing stands in for them. Needless once mmengine keeps losses out of its checkpoints.
    """
    import numpy as np
    import torch

    core = np._core.multiarray
    dtypes = {type(np.dtype(name)) for name in ("bool", "i4", "i8", "u4", "f4", "f8")}
    harmless = [slice, np.ndarray, np.dtype, core._reconstruct, core.scalar, *dtypes]
    harmless += [(_Nothing, f"mmengine.{name}") for name in _LEFT_OUT] + [(_nothing, "builtins.getattr")]
    try:
        with torch.serialization.safe_globals(harmless):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file raises about anything
        refused = re.search(r"Unsupported global: GLOBAL ([\w.]+)", str(error))
        reason = f"it holds a {refused[1]}" if refused else type(error).__name__
        raise InvalidDataError(f"{path} is no checkpoint of weights, or damaged ({reason})") from error
    if not isinstance(content, dict) or "state_dict" not in content:
        raise InvalidDataError(f"{path} is no checkpoint of mmengine: it has no 'state_dict'")
    return content


def provide_mmengine_loading() -> None:
    """Let mmengine read its own checkpoints, as ``mim test`` does and a run that goes on.

    Symptom: with torch 2.6 and later ``mmengine.runner.load_checkpoint`` raises ``_pickle.UnpicklingError: Weights only
    load failed``. What torch does not read by itself is read as ``mmengine_checkpoint`` does; a run that goes on has
    lost only its averages of past losses, and says so. Needless once mmengine keeps losses out of its checkpoints.
    """
    from mmengine.runner import CheckpointLoader
    from mmengine.runner.checkpoint import load_from_local

    def read(filename: str, map_location: Any) -> Any:
        try:
            return load_from_local(filename, map_location)
        except pickle.UnpicklingError:
            return mmengine_checkpoint(Path(filename).expanduser())

    CheckpointLoader.register_scheme(prefixes="", loader=read, force=True)


class _Nothing:
    """Takes any state and forgets it."""

    def __init__(self, *_: Any):
        pass

    def __setstate__(self, _: Any) -> None:
        pass


def _nothing(*_: Any) -> None:
    return None
