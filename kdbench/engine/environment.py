"""Where a run happened: packages, machine, commit, command line."""

import platform
import shlex
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from .. import __version__

# What a result depends on: code and rows, not the tables that are made from results.
_COUNTS = (
    ":/kdbench",
    ":/configs",
    ":/tools",
    ":(top,exclude)configs/*/metafile.yml",
    ":(top,exclude)configs/*/README.md",
    ":(top,exclude)configs/published.yml",
)
PACKAGES = ("torch", "mmengine", "numpy", "scikit-learn", "torchaudio", "safetensors")


def packages() -> dict[str, str]:
    """Versions of Python, kdbench and what it computes with."""
    found = {"python": platform.python_version(), "kdbench": __version__}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found


def machine(device: torch.device) -> dict[str, Any]:
    """The device that computed, and the host's processor and threads."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else processor()
    return {
        "device": device.type,
        "device_name": name,
        "processor": processor(),
        "threads": torch.get_num_threads(),
    }


def processor() -> str:
    """The name of the CPU model."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def commit() -> dict[str, Any]:
    """The commit that the code is at, and whether code or rows differ from it; None outside of a repository.

    Files that are in no commit are a difference: one of them may be the method that is measured.
    """
    head, changes = _git("rev-parse", "HEAD"), _git("status", "--porcelain", "--", *_COUNTS)
    return {"git_commit": head or None, "git_dirty": bool(changes) if head else None}


def _git(*arguments: str) -> str:
    folder = Path(__file__).parent
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def command_line() -> str:
    """The command that runs, ready to be pasted."""
    return shlex.join(["python", *sys.argv])
