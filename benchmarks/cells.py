"""What a cell of a matrix costs beside its training: a fork of a warm process against a fresh one; the allocator.

    python benchmarks/cells.py [--row configs/...] [--epochs N] [--rounds N]

Both take turns. Forks: wall and CPU seconds of a smoke cell. Allocator: CPU seconds and page faults of training with
glibc's thresholds as they are, and raised so that freed memory stays with the process.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from kdbench.matrix.child import ALLOCATOR
from kdbench.matrix.engines import Local
from kdbench.matrix.files import read_matrix
from kdbench.matrix.plan import make_plan
from kdbench.matrix.process import task_of

ROOT = Path(__file__).resolve().parent.parent
TRAIN = ROOT / "tools" / "train.py"


def cpu_of_children(pid: int) -> float:
    """CPU seconds of a process's ended children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def one(engine: Local, number: int, folder: Path) -> tuple[float, float]:
    """Wall and CPU seconds of a smoke cell on an engine."""
    plan = make_plan(read_matrix(ROOT / "configs/matrices/smoke.py", [number]), smoke=True)
    cell = next(cell for cell in plan.cells.values() if cell.row == "baseline/rooms_view_v")
    warm = getattr(engine._running, "_warm", None)
    watched = warm.pid if warm else os.getpid()
    began, cpu = time.perf_counter(), cpu_of_children(watched)
    engine.start("cell", task_of(cell, TRAIN, folder / "log", 1))
    while not (ended := engine.ended(1.0)):
        pass
    assert ended[0][1].code == 0, (folder / "log").read_text()
    return time.perf_counter() - began, cpu_of_children(watched) - cpu


def forks_against_fresh(rounds: int, folder: Path) -> None:
    """Print both, medians over turns."""
    engines = {"fork": Local(1), "fresh": Local(1, fresh=True)}
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in engines}
    for number in range(rounds + 1):
        for name, engine in engines.items():
            spent = one(engine, 1000 + 2 * number + (name == "fresh"), folder)
            if number:  # the first turn waits for the imports
                found[name].append(spent)
    for name, spent in found.items():
        wall, cpu = (statistics.median(column) for column in zip(*spent, strict=True))
        print(f"{name:6s} a smoke cell: {wall:.1f} s wall, {cpu:.1f} s CPU")
        engines[name].close()


def trained(row: str, epochs: int, folder: Path, environment: dict[str, str]) -> tuple[float, int]:
    """CPU seconds of training, and page faults of the whole process."""
    command = [sys.executable, str(TRAIN), row, "--amp", "--threads", "1", "--work-dir", str(folder)]
    command += ["--cfg-options", f"train_cfg.max_epochs={epochs}", "model.teacher.weights=random"]
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    assert status == 0, f"{row} did not train"
    result = yaml.safe_load((folder / "result.yml").read_text())
    return result["train"]["cpu_seconds"], used.ru_minflt


def allocator(row: str, epochs: int, rounds: int, folder: Path) -> None:
    """Print both, turn by turn, and the ratio of the medians."""
    settings = {"as it is": {}, "raised": ALLOCATOR}
    found: dict[str, list[tuple[float, int]]] = {name: [] for name in settings}
    for number in range(rounds):
        for name in sorted(settings, reverse=bool(number % 2)):
            found[name].append(trained(row, epochs, folder / f"{name}{number}", settings[name]))
            print(
                f"{row}, thresholds {name}: {found[name][-1][0]:.1f} s CPU, {found[name][-1][1]:,} page faults"
            )
    plain, raised = (statistics.median(cpu for cpu, _ in found[name]) for name in settings)
    print(f"raised / as it is: {raised / plain:.3f} of the CPU seconds")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--row", default="configs/kd/utd_skeleton_cnn_depth_cnn.py")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=("forks", "allocator"))
    arguments = parser.parse_args()
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory() as folder:
        if arguments.only != "allocator":
            forks_against_fresh(arguments.rounds, Path(folder))
        if arguments.only != "forks":
            allocator(arguments.row, arguments.epochs, arguments.rounds, Path(folder))


if __name__ == "__main__":
    main()
