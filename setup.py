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
MMCV = ["mmcv-lite>=2.0.0,<2.2.0"]  # a wheel, nothing compiled; mmaction2 and mmdet refuse newer mmcv
MMACTION = [
    "mmaction2==1.2.0",
    *MMCV,
    "importlib_metadata",
]  # the last one mmaction2 imports and does not declare
MMDET = ["mmdet==3.3.0", *MMCV]
# A torchvision fits one torch: unpinned, it (or timm, which asks for it) would replace torch by a CUDA build.
TORCHVISION = ["torchvision==0.28.0"]  # for torch 2.13.0
TIMM = ["timm>=1.0,<2", *TORCHVISION]
TRANSFORMERS = ['transformers>=5,<6; python_version >= "3.11"']
RAY = ["ray>=2.40"]
SLURM = ["submitit>=1.5"]
DEV = [
    "pytest>=8",
    "hypothesis>=6.100",
    "pytest-benchmark>=4",
    "pytest-xdist>=3.6",
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
        "mmaction": MMACTION,
        "mmdet": MMDET,
        "torchvision": TORCHVISION,
        "timm": TIMM,
        "transformers": TRANSFORMERS,
        "ray": RAY,
        "slurm": SLURM,
        "dev": [*DEV, *REPORT],
        "all": [
            *REPORT,
            *PUBLISH,
            *EDGE,
            *VIDEO,
            *TORCHCODEC,
            *MMACTION,
            *MMDET,
            *TIMM,
            *TRANSFORMERS,
            *RAY,
            *SLURM,
        ],
    },
)
