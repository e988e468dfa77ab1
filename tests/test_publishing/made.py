"""A run at smoke size and its artefact, made once for all tests of this folder, and ways to change a copy of it."""

import functools
import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kdbench.publishing import publish
from tests.toy_project import ROOT, command

ROW = "configs/kd/rooms_view_av_view_v.py"
REASON = "it shows the form only"


@functools.cache
def run() -> Path:
    """The folder of a distilled student."""
    folder = Path(tempfile.mkdtemp(prefix="kdbench-publishing-")) / "seed0"
    done = command(ROOT, "train", ROW, "--smoke", "--seed", "0", "--work-dir", str(folder))
    assert done.returncode == 0, done.stderr
    return folder


@functools.cache
def artefact() -> Path:
    """Its artefact; tests change copies only."""
    return publish(run(), run().parent / "published", force=REASON)


def copied(to: Path) -> Path:
    """A copy of the artefact to be changed."""
    return Path(shutil.copytree(artefact(), to / artefact().name))


def seal(folder: Path) -> None:
    """Make the manifest fit what is there, as whoever changes an artefact on purpose would."""
    manifest = json.loads((folder / "artefact.json").read_text())
    for name, about in manifest["files"].items():
        content = (folder / name).read_bytes()
        about.update(sha256=hashlib.sha256(content).hexdigest(), size=len(content))
    (folder / "artefact.json").write_text(json.dumps(manifest))


def change_config(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change the frozen config of a copy, and seal it."""
    path = folder / "config.json"
    tree = json.loads(path.read_text())
    change(tree)
    path.write_text(json.dumps(tree))
    seal(folder)


def weights_of(folder: Path) -> Path:
    """The weight file."""
    return next(folder.glob("*.safetensors"))
