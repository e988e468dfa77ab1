"""Detectors of people, to be run once over the videos of a data set; training reads what they found from a file."""

from .base import Found, PersonDetector
from .depth import DepthDetector
from .mmdet import MMDetDetector
from .onnx import OnnxDetector

__all__ = ["DepthDetector", "Found", "MMDetDetector", "OnnxDetector", "PersonDetector"]
