"""Networks as ONNX files; nobody gets one before onnxruntime gives what torch gives."""

import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from ..atomic import atomic_path
from ..compat import load_onnx_exporter
from ..spec import IncompatibleError, MissingPackageError
from .session import Session

OPSET = 18  # the lowest that torch's exporter writes without converting
TOLERANCE = 1e-5  # of the largest logit, or of one if all are smaller
Clip = Mapping[str, Tensor]


class Logits(nn.Module):
    """A network that gives its logits ``(B, K)`` alone, whatever else it gives in training."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, *inputs: Tensor) -> Tensor:
        found = self.network(*inputs)
        return found["logits"] if isinstance(found, Mapping) else found


def export(network: nn.Module, clips: Sequence[Clip], path: str | Path) -> float:
    """Write a network as ONNX for one clip at a time; the largest difference to torch over ``clips``.

    A clip maps what the network reads, in the order of ``forward``, to ``(1, ...)`` float32; the file has inputs of
    these names and shapes and the output ``logits`` ``(1, K)``. A network that torch cannot write, or whose file gives
    other logits than it does (``farthest``), is an ``IncompatibleError``. The file takes its place when it is checked;
    whatever fails, what was there before stays. Modes stay as they are.
    """
    training = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        with atomic_path(Path(path)) as temporary:
            return _checked(network, clips, temporary)
    finally:
        for module, mode in training:
            module.training = mode


def _checked(network: nn.Module, clips: Sequence[Clip], path: Path) -> float:
    """Write the file; its largest difference to torch, which is within ``TOLERANCE``."""
    kind = type(network).__name__
    try:
        _write(Logits(network).eval(), clips[0], path)
        found = farthest(network, clips, Session(path))
    except (MissingPackageError, OSError):  # a full disk is no fault of the network
        raise
    except Exception as error:  # torch.export, its translation and onnxruntime have no common error
        raise IncompatibleError(
            f"{kind} cannot be written as ONNX ({_first_line(error)}); docs/edge.md lists the networks that can"
        ) from error
    if not found <= TOLERANCE:
        raise IncompatibleError(
            f"the ONNX file of {kind} gives logits that differ by {found:.2g} of the largest; wanted: {TOLERANCE:g}"
        )
    return found


def farthest(network: nn.Module, clips: Sequence[Clip], session: Session) -> float:
    """The largest difference of logits between a network in eval mode and its file.

    A fraction of the clip's largest logit, or of one where all are smaller; NaN where either gives one.
    """
    gaps = []
    with torch.no_grad():
        for clip in clips:
            wanted = Logits(network)(*clip.values()).float()
            given = torch.from_numpy(session({name: value.numpy() for name, value in clip.items()}))
            gaps.append((given - wanted).abs().max() / wanted.abs().max().clamp(min=1.0))
    return float(torch.stack(gaps).max())


def _write(network: nn.Module, clip: Clip, path: Path) -> None:
    load_onnx_exporter()
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)  # it warns that torchvision is absent
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                network,
                tuple(clip.values()),
                str(path),
                dynamo=True,
                verbose=False,
                external_data=False,
                opset_version=OPSET,
                input_names=list(clip),
                output_names=["logits"],
            )
    finally:
        logger.setLevel(level)


def _first_line(error: BaseException) -> str:
    """What went wrong first, in a line."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {error}".strip().split("\n")[0]
