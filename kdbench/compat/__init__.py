"""Every work-around for a third-party package: its symptom, and the version that makes it needless."""

from .checkpoints import mmengine_checkpoint, provide_mmengine_loading
from .operators import provide_mmcv_operators
from .optional import (
    load_av,
    load_huggingface_hub,
    load_onnx_exporter,
    load_onnx_quantisation,
    load_onnxruntime,
    load_opencv,
    load_posthocs,
    load_soundfile,
    load_torchaudio,
    load_torchcodec,
)
from .scopes import (
    SCOPES,
    collect_environment,
    load_mmdet,
    load_scope,
    provide_mmaction_drn,
    provide_numpy_names,
    provide_torchvision_operators,
)
from .shapes import NumbersOfRates

__all__ = [
    "SCOPES",
    "NumbersOfRates",
    "collect_environment",
    "load_av",
    "load_huggingface_hub",
    "load_mmdet",
    "load_onnx_exporter",
    "load_onnx_quantisation",
    "load_onnxruntime",
    "load_opencv",
    "load_posthocs",
    "load_scope",
    "load_soundfile",
    "load_torchaudio",
    "load_torchcodec",
    "mmengine_checkpoint",
    "provide_mmaction_drn",
    "provide_mmcv_operators",
    "provide_mmengine_loading",
    "provide_numpy_names",
    "provide_torchvision_operators",
]
