"""Packaging of kdbench."""

import re
from pathlib import Path

from setuptools import find_packages, setup

here = Path(__file__).parent
version = re.search(r'__version__ = "(.+?)"', (here / "kdbench/__init__.py").read_text(encoding="utf-8"))[1]

REPORT = ["matplotlib>=3.8", "jinja2>=3.1", "scikit-posthocs>=0.11"]
PUBLISH = ["huggingface_hub>=1.0"]
EDGE = ["onnx>=1.17", "onnxscript>=0.5", "onnxruntime>=1.20"]
VIDEO = ["av", "soundfile"]
TORCHCODEC = ["torchcodec==0.13.0"]  # needs the system's FFmpeg; PyAV brings its own
MMDET = ["mmdet==3.3.0", "mmcv-lite>=2.0.0,<2.2.0"]  # newer mmcv is refused by mmdet
RAY = ["ray>=2.40"]
SLURM = ["submitit>=1.5"]
DEV = [
    "pytest>=8",
    "hypothesis>=6.100",
    "pytest-benchmark>=4",
    "ruff",
    "mypy>=1.11",
    "jsonschema",
    "playwright>=1.45",  # drives a Chromium that is there; its tests are skipped where there is none
    *VIDEO,
    *PUBLISH,
    *EDGE,
    *RAY,
    *SLURM,
]

setup(
    name="kdbench",
    version=version,
    description="A benchmark suite for knowledge distillation in multi-view, multi-modal action recognition",
    long_description=(here / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(include=["kdbench", "kdbench.*"]),
    package_data={"kdbench.report": ["templates/*.html", "static/*.js", "static/*.css"]},
    install_requires=[
        "torch>=2.10",
        "torchaudio>=2.1,<=2.11.0",
        "mmengine>=0.10.4",
        "setuptools>=77.0.3,<82",  # mmengine 0.10.7 imports pkg_resources, which 82 dropped
        "numpy>=1.26",
        "scikit-learn>=1.4",
        "scipy>=1.15",
        "pydantic>=2.7",
        "safetensors>=0.4",
        "tensorboard>=2.15",
        "pyyaml",
    ],
    extras_require={
        "report": REPORT,
        "publish": PUBLISH,
        "edge": EDGE,
        "video": [*VIDEO, *TORCHCODEC],
        "mmdet": MMDET,
        "ray": RAY,
        "slurm": SLURM,
        "dev": [*DEV, *REPORT],
        "all": [*REPORT, *PUBLISH, *EDGE, *VIDEO, *TORCHCODEC, *MMDET, *RAY, *SLURM],
    },
)
