"""Without the extra ``edge`` every way in says what to install."""

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from kdbench.edge import Session, export, quantise
from kdbench.spec import MissingPackageError

HIDDEN = ("onnx", "onnxscript", "onnxruntime", "onnxruntime.quantization")


@pytest.fixture(autouse=True)
def without_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in HIDDEN:
        monkeypatch.setitem(sys.modules, name, None)  # import raises ImportError


def test_an_export_needs_onnx(tmp_path: Path) -> None:
    with pytest.raises(
        MissingPackageError, match=r"need onnx and onnxscript .+ pip install 'kdbench\[edge\]'"
    ):
        export(nn.Flatten(), [{"inertial": torch.ones(1, 4, 6)}], tmp_path / "student.onnx")
    assert not [*tmp_path.iterdir()]


def test_a_session_needs_onnxruntime(tmp_path: Path) -> None:
    with pytest.raises(MissingPackageError, match="onnxruntime does not load"):
        Session(tmp_path / "student.onnx")


def test_eight_bits_need_both(tmp_path: Path) -> None:
    with pytest.raises(MissingPackageError, match=r"quantisation needs onnx and onnxruntime .+\[edge\]"):
        quantise(tmp_path / "a.onnx", tmp_path / "b.onnx", [])
