"""Every work-around for a third-party package: its symptom, and the version that makes it needless."""

import importlib.machinery
import importlib.util
import re
import sys
import types
from pathlib import Path
from typing import Any

from .spec import InvalidDataError, MissingPackageError


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


def load_opencv() -> Any:
    """``cv2`` (OpenCV); it is optional, and a wheel with windows fails to load where the system has no libGL."""
    try:
        import cv2
    except ImportError as error:
        raise MissingPackageError(
            f"OpenCV does not load ({error}); pip install opencv-python-headless"
        ) from error
    return cv2


def load_torchcodec() -> Any:
    """``torchcodec`` with its decoders; it is optional.

    Symptom: it imports only beside the torch it was built for (0.14 and later: CUDA builds) and where the system has
    FFmpeg's libraries; without them the import raises RuntimeError or OSError.
    """
    try:
        import torchcodec.decoders
    except Exception as error:
        first = str(error).strip().split("\n")[0]
        raise MissingPackageError(
            f"torchcodec does not load ({first}); pip install torchcodec==0.13.0 and FFmpeg, or take PyAV"
        ) from error
    return torchcodec


def load_soundfile() -> Any:
    """``soundfile``, which brings its own libsndfile; it is optional."""
    try:
        import soundfile
    except (ImportError, OSError) as error:
        raise MissingPackageError(f"soundfile does not load ({error}); pip install soundfile") from error
    return soundfile


def load_onnxruntime() -> Any:
    """``onnxruntime``; it is optional, and OpenCV runs the same files."""
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingPackageError(f"onnxruntime does not load ({error}); pip install onnxruntime") from error
    return onnxruntime


def load_onnx_exporter() -> None:
    """Make sure that ``torch.onnx.export`` has what it needs, ``onnx`` and ``onnxscript``; both are optional."""
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except Exception as error:  # also TypeError: of protobuf's generated files of another version
        raise MissingPackageError(
            f"ONNX files need onnx and onnxscript ({error}); pip install 'kdbench[edge]'"
        ) from error


def load_onnx_quantisation() -> Any:
    """``onnxruntime.quantization``, which needs ``onnx`` too; both are optional."""
    try:
        import onnxruntime.quantization
        import onnxruntime.quantization.shape_inference
    except Exception as error:
        raise MissingPackageError(
            f"quantisation needs onnx and onnxruntime ({error}); pip install 'kdbench[edge]'"
        ) from error
    return onnxruntime.quantization


def load_huggingface_hub() -> Any:
    """``huggingface_hub``, for model cards and uploads; it is optional."""
    try:
        import huggingface_hub
        import huggingface_hub.errors
    except ImportError as error:
        raise MissingPackageError(
            f"publishing needs huggingface_hub ({error}); pip install 'kdbench[publish]'"
        ) from error
    return huggingface_hub


def load_posthocs() -> Any:
    """``scikit_posthocs``, which brings pandas and matplotlib; it is optional."""
    try:
        import scikit_posthocs
    except Exception as error:  # of a broken pandas or statsmodels about anything
        raise MissingPackageError(
            f"ranks over blocks need scikit-posthocs, which does not import ({error}); pip install 'kdbench[report]'"
        ) from error
    return scikit_posthocs


def load_mmdet() -> Any:
    """``mmdet.apis``, also on an mmcv without compiled operators (mmcv-lite); it is optional."""
    try:
        provide_mmcv_operators()
        import mmdet.apis
    except Exception as error:  # also AssertionError: mmdet refuses some versions of mmcv on import
        raise MissingPackageError(
            f"this detector needs mmdet, which does not import ({error}); pip install 'kdbench[mmdet]'"
        ) from error
    return mmdet.apis


def provide_mmcv_operators() -> None:
    """The operators of mmcv that detectors of one stage need when they run; the others raise when called.

    Symptom: with mmcv-lite, a wheel without the compiled part, ``import mmdet.apis`` raises
    ``ModuleNotFoundError: No module named 'mmcv._ext'``. Needless with full mmcv, which has to be compiled.
    """
    if importlib.util.find_spec("mmcv._ext") is not None:
        return
    stub = types.ModuleType("mmcv._ext")
    stub.__spec__ = importlib.machinery.ModuleSpec(stub.__name__, None)
    stub.__getattr__ = _absent_operator  # type: ignore[method-assign]
    stub.nms = _nms  # type: ignore[attr-defined]
    sys.modules[stub.__name__] = stub


def _absent_operator(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)

    def operator(*_: Any, **__: Any) -> None:
        raise MissingPackageError(
            f"mmcv's operator '{name}' needs full mmcv; mmcv-lite has none that is compiled"
        )

    return operator


def _nms(boxes: Any, scores: Any, iou_threshold: float, offset: int = 0) -> Any:
    """As ``mmcv._ext.nms``: the boxes ``(n, 4)`` that stay, the surest first, as indices."""
    import torch

    left, kept = scores.argsort(descending=True, stable=True).cpu(), []  # box after box is slow on a GPU
    low, high = boxes[:, :2].cpu(), boxes[:, 2:].cpu() + offset
    area = (high - low).prod(dim=1)
    while len(left):
        best, left = left[0], left[1:]
        kept.append(best)
        common = torch.minimum(high[best], high[left]) - torch.maximum(low[best], low[left])
        common = common.clamp(min=0).prod(dim=1)
        left = left[common <= iou_threshold * (area[best] + area[left] - common)]
    return torch.tensor(kept, dtype=torch.int64, device=boxes.device)


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
    harmless += [(_Nothing, "mmengine.logging.history_buffer.HistoryBuffer"), (_nothing, "builtins.getattr")]
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


class _Nothing:
    """Takes any state and forgets it."""

    def __init__(self, *_: Any):
        pass

    def __setstate__(self, _: Any) -> None:
        pass


def _nothing(*_: Any) -> None:
    return None
