"""The packages that foreign networks and detectors come from, and what each needs before it imports."""

import importlib.metadata
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..spec import MissingPackageError
from .modules import empty_module, forget
from .operators import provide_mmcv_operators
from .optional import load_torchaudio

# The packages behind the scopes of foreign networks ("mmaction.MViT"): what pip calls them, and our extra.
SCOPES = {
    "mmaction": ("mmaction2", "mmaction"),
    "timm": ("timm", "timm"),
    "torchvision": ("torchvision", "torchvision"),
    "transformers": ("transformers", "transformers"),
}


def load_scope(scope: str) -> Any:
    """The package that the networks of a scope come from; all are optional.

    Where it is not installed or does not import, one ``MissingPackageError`` says which, why and what to install.
    """
    package, extra = SCOPES[scope]
    try:
        return _LOADERS[scope]()
    except Exception as error:  # also AssertionError: mmaction refuses some versions of mmcv on import
        reason = str(error).strip().split("\n")[0]
        raise MissingPackageError(
            f"'{scope}.*' needs the optional package '{package}', which does not import ({reason}); "
            f"pip install 'kdbench[{extra}]'"
        ) from error


def _load_mmaction() -> Any:
    import mmaction

    provide_numpy_names()
    provide_mmcv_operators()  # mmaction looks whether mmdet imports
    provide_mmaction_drn()
    leave_out_mmaction_text_models()
    import mmaction.models

    return mmaction


def _load_torchvision() -> Any:
    provide_torchvision_operators()
    import torchvision.models.video

    return torchvision


def _load_timm() -> Any:
    provide_torchvision_operators()
    import timm

    return timm


def _load_transformers() -> Any:
    _prepare_transformers()
    import transformers

    return transformers


def _prepare_transformers() -> None:
    """Its models import torchvision and torchaudio wherever these are installed."""
    provide_torchvision_operators()
    if importlib.util.find_spec("torchaudio") is not None:
        load_torchaudio()


_LOADERS: dict[str, Callable[[], Any]] = {
    "mmaction": _load_mmaction,
    "timm": _load_timm,
    "torchvision": _load_torchvision,
    "transformers": _load_transformers,
}


def provide_numpy_names() -> None:
    """Names that NumPy 2 dropped and mmaction2's data pipelines read.

    Symptom: ``PoseCompact`` raises ``AttributeError: `np.Inf` was removed in the NumPy 2.0 release``. Needless with an
    mmaction2 after 1.2.0.
    """
    import numpy as np

    for old, new in (("Inf", "inf"), ("NAN", "nan"), ("trapz", "trapezoid"), ("in1d", "isin")):
        if not hasattr(np, old):
            setattr(np, old, getattr(np, new))


def provide_mmaction_drn() -> None:
    """A module that the wheel of mmaction2 1.2.0 forgot; it holds one localiser, which no row needs.

    Symptom: ``import mmaction.models`` raises ``ModuleNotFoundError: No module named
    'mmaction.models.localizers.drn'``. Needless with an mmaction2 after 1.2.0, or one installed from its sources.
    """
    found = importlib.util.find_spec("mmaction")
    if found is None or found.origin is None:
        return
    if (Path(found.origin).parent / "models" / "localizers" / "drn").is_dir():
        return
    name = "mmaction.models.localizers.drn"
    package, module = empty_module(name, is_package=True), empty_module(f"{name}.drn")
    module.DRN = type("DRN", (), {})  # type: ignore[attr-defined]
    for made in (package, module):
        sys.modules.setdefault(made.__name__, made)


def leave_out_mmaction_text_models() -> None:
    """Keep mmaction2 from importing VindLU, which reads clips and sentences and was written for transformers 4.

    Symptom: beside transformers 5, ``import mmaction.models`` raises ``ImportError: cannot import name
    'apply_chunking_to_forward' from 'transformers.modeling_utils'``. Needless with an mmaction2 after 1.2.0.
    """
    if int(_version("transformers", "0").split(".")[0]) < 5:
        return
    import mmaction.utils.dependency

    mmaction.utils.dependency.WITH_MULTIMODAL = False


def _version(package: str, otherwise: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return otherwise


_OPERATORS: list[Any] = []  # torch forgets the operators of a library that nobody holds


def provide_torchvision_operators() -> None:
    """The names of two operators without which torchvision does not import; calling them fails.

    Symptom: on a CPU torch, ``import torchvision`` (0.28, a CUDA-linked wheel) raises ``RuntimeError: operator
    torchvision::nms does not exist``, and with it ``import timm``. Needless as soon as torchvision has CPU wheels.
    Networks work; detection and reading of pictures do not.
    """
    import torch

    if _OPERATORS or importlib.util.find_spec("torchvision") is None:
        return
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        forget("torchvision")
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _OPERATORS.append(library)


def collect_environment() -> dict[str, Any]:
    """What mmengine tells of the machine, also beside a torchvision that does not import.

    Symptom: with torchvision 0.28 beside a CPU torch, ``mmengine.utils.dl_utils.collect_env`` raises ``RuntimeError:
    operator torchvision::nms does not exist``; it forgives only one that is not installed. Needless where it imports.
    """
    from mmengine.utils.dl_utils import collect_env

    try:
        return dict(collect_env())
    except RuntimeError:
        forget("torchvision")
        sys.modules["torchvision"] = None  # type: ignore[assignment]
        try:
            return dict(collect_env())
        finally:
            del sys.modules["torchvision"]


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
