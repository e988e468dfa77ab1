"""A slow toy matrix run by processes of its own, which tests kill; and what it leaves, times apart."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from kdbench.engine.checkpoint import checkpoints
from kdbench.weights import file_hash
from tests.toy_project import ROOT, write_project

from .toys import ALONE, KD, write_matrix

PATIENCE = 300.0
TEXT = f"""
seeds = (0, 1)
rows = [dict(row="{KD}", distiller=("wave_kd", "wave_hint")), dict(row="{ALONE}")]
"""


def slow_project(folder: Path, seconds: float = 0.02, text: str = TEXT) -> Path:
    """A toy project whose clips take a while and that trains for 4 epochs, and its matrix."""
    write_project(folder)
    kit = folder / "toykit.py"
    kit.write_text(
        kit.read_text()
        .replace("import os\n", "import os\nimport time\n", 1)
        .replace("        rng = np.random", f"        time.sleep({seconds})\n        rng = np.random", 1)
    )
    schedule = folder / "configs/_base_/schedules/short.py"
    schedule.write_text(
        schedule.read_text().replace("max_epochs=2", "max_epochs=4").replace("T_max=2", "T_max=4")
    )
    write_matrix(folder, text)
    return folder


def start(folder: Path, *options: str) -> "subprocess.Popen[str]":
    """The matrix as a process."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, str(ROOT / "tools/matrix.py"), "configs/matrices/toy.py", "--plain", *options],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def to_the_end(folder: Path, *options: str) -> tuple[int, str]:
    """Exit code and output of the matrix when nobody disturbs it."""
    process = start(folder, *options)
    out, _ = process.communicate(timeout=2 * PATIENCE)
    return process.returncode, out


def below(pid: int) -> dict[int, str]:
    """Every process below ``pid``, and its command line."""
    parents, found = {}, {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
    open_ = {pid}
    while open_:
        open_ = {child for child, parent in parents.items() if parent in open_}
        for child in open_:
            try:
                found[child] = Path(f"/proc/{child}/cmdline").read_text().replace("\0", " ")
            except OSError:
                continue
    return found


def cells(pid: int) -> list[int]:
    """The processes of running cells below a matrix whose cells are forks: the grandchildren."""
    return [cell for child in below(pid) for cell in below(child)]


def wait_for(what: Callable[[], Any], process: "subprocess.Popen[str] | None" = None) -> Any:
    """Wait until something is so."""
    deadline = time.monotonic() + PATIENCE
    while not (found := what()):
        ended = process is not None and process.poll() is not None
        assert not ended, process.communicate()[0] if process else ""
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def kill(*pids: int) -> None:
    """Kill without a warning."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def begun(folder: Path) -> list[str]:
    """Cells in their middle: a checkpoint and no result."""
    return [
        str(path)
        for path in folder.glob("work_dirs/*/*/seed*")
        if not (path / "result.yml").is_file() and checkpoints(path)
    ]


def records(folder: Path) -> dict[str, Any]:
    """Every result without times, commands and commit (which its ``run_id`` holds), and the hashes of its files."""
    found = {}
    for path in sorted(folder.glob("work_dirs/*/*/seed*/result.yml")):
        result = yaml.safe_load(path.read_text())
        assert result["train"]["wall_seconds"] > 0
        kept = {key: value for key, value in result.items() if key not in ("train", "repro", "run_id")}
        files = ("student.safetensors", "predictions.safetensors", "history.json")
        found[str(path.relative_to(folder))] = kept | {name: file_hash(path.parent / name) for name in files}
    return found
