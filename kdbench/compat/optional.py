"""Optional packages that the core reads and writes files with."""

import sys
import types
from typing import Any

from ..spec import MissingPackageError
from .modules import empty_module, forget


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
        forget("torchaudio")
        sys.modules["torchaudio._extension"] = _torchaudio_without_binary()
        import torchaudio
    return torchaudio


def _torchaudio_without_binary() -> types.ModuleType:
    stub = empty_module("torchaudio._extension", is_package=True)
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
