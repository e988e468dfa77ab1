"""Networks for small machines: ONNX files that give what torch gives, in eight bits too, and what they cost."""

from .onnx_file import TOLERANCE, export, farthest
from .quantise import quantise
from .session import Session

__all__ = ["TOLERANCE", "Session", "export", "farthest", "quantise"]
