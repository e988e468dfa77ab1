"""Every work-around for a third-party package: its symptom, and the version that makes it needless."""

import importlib.machinery
import sys
import types
from typing import Any

from .spec import MissingPackageError


def load_torchaudio() -> Any:
    """``torchaudio``, its pure-torch part if the binary does not load.

    Symptom: on a CPU torch, ``import torchaudio`` (2.11, a CUDA-linked wheel) raises ``OSError: libc10_cuda.so``.
    Needless as soon as torchaudio has CPU wheels. Transforms and functionals work without the binary.
    """
    try:
        import torchaudio
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            "log-mel features need torchaudio; pip install torchaudio==2.11.0"
        ) from error
    except OSError:
        for name in [name for name in sys.modules if name.split(".")[0] == "torchaudio"]:
            del sys.modules[name]
        sys.modules["torchaudio._extension"] = _torchaudio_without_binary()
        import torchaudio
    return torchaudio


def _torchaudio_without_binary() -> types.ModuleType:
    stub = types.ModuleType("torchaudio._extension")
    stub.__spec__ = importlib.machinery.ModuleSpec(stub.__name__, None, is_package=True)
    stub.__path__ = []
    stub._IS_TORCHAUDIO_EXT_AVAILABLE = stub._IS_ALIGN_AVAILABLE = False  # type: ignore[attr-defined]
    stub._check_cuda_version = lambda: None  # type: ignore[attr-defined]
    stub.fail_if_no_align = lambda function: function  # type: ignore[attr-defined]
    return stub


def load_av() -> Any:
    """``av`` (PyAV), which brings its own FFmpeg; it is optional."""
    try:
        import av
    except ModuleNotFoundError as error:
        raise MissingPackageError("videos need PyAV; pip install av") from error
    return av
