"""Post-training static quantisation to eight bits, calibrated on clips (onnxruntime, QDQ format)."""

import logging
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from ..atomic import atomic_path
from ..compat import load_onnx_quantisation
from .session import Session

PRODUCTS = ("Conv", "Gemm", "MatMul")  # what pays; norms, softmax and sums stay in float


class _Clips:
    """Clips one by one, as onnxruntime's calibration asks for them."""

    def __init__(self, clips: Iterable[Mapping[str, np.ndarray]]):
        self.clips: Iterator[Mapping[str, np.ndarray]] = iter(clips)

    def get_next(self) -> dict[str, np.ndarray] | None:
        clip = next(self.clips, None)
        return None if clip is None else dict(clip)


def quantise(source: str | Path, target: str | Path, clips: Iterable[Mapping[str, np.ndarray]]) -> None:
    """Write the ONNX file ``source`` with convolutions and matrix products in signed eight bits.

    Weights have a scale a channel; activations one a tensor, from the least to the largest value that ``clips``
    (``(1, ...)`` float32 by input name, of the training split) show. What the file then gives differs: measure it. The
    file takes its place when onnxruntime has read it; whatever fails, what was there before stays.
    """
    tools = load_onnx_quantisation()
    reader = type("Clips", (_Clips, tools.CalibrationDataReader), {})(clips)
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # it advises on every file what was done just before
    try:
        with tempfile.TemporaryDirectory() as folder, atomic_path(Path(target)) as temporary:
            ready = Path(folder) / "ready.onnx"
            tools.shape_inference.quant_pre_process(str(source), str(ready), skip_symbolic_shape=True)
            tools.quantize_static(
                str(ready),
                str(temporary),
                reader,
                quant_format=tools.QuantFormat.QDQ,
                op_types_to_quantize=list(PRODUCTS),
                per_channel=True,
                activation_type=tools.QuantType.QInt8,
                weight_type=tools.QuantType.QInt8,
            )
            Session(temporary)
    finally:
        root.setLevel(level)
