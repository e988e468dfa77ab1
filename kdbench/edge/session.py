"""An ONNX file as a function of arrays."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..compat import load_onnxruntime


class Session:
    """A file in onnxruntime on the CPU with ``threads`` threads: called with arrays by name, it gives the first output.

    ``names`` are its inputs in their order; more arrays than these may be given. Without onnxruntime it is a
    ``MissingPackageError``.
    """

    def __init__(self, path: str | Path, threads: int = 1):
        runtime = load_onnxruntime()
        options = runtime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3  # errors only
        self._session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.names = tuple(node.name for node in self._session.get_inputs())

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        return self._session.run(None, {name: inputs[name] for name in self.names})[0]
