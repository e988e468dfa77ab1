"""Whatever process of a matrix dies, started again it ends with the records of an undisturbed run."""

import random
import signal
import time
from pathlib import Path

import pytest

from .deaths import begun, below, cells, kill, records, slow_project, start, to_the_end, wait_for
from .toys import events

pytestmark = pytest.mark.slow
JOBS = ("--jobs", "2")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = slow_project(tmp_path_factory.mktemp("whole"))
    code, out = to_the_end(folder, *JOBS)
    assert code == 0, out
    return folder


def test_killed_in_every_way_it_ends_with_the_same_records(whole, tmp_path, monkeypatch) -> None:
    folder, rng = slow_project(tmp_path / "killed"), random.Random(0)
    resumed: set[str] = set()

    def running() -> list[int]:
        """The processes of cells, one of which is in its middle."""
        resumed.update(wait_for(lambda: cells(matrix.pid) and begun(folder), matrix))
        time.sleep(rng.uniform(0, 0.3))
        return wait_for(lambda: cells(matrix.pid), matrix)

    def warm() -> list[int]:
        return [pid for pid, line in below(matrix.pid).items() if "kdbench.matrix.warm" in line][:1]

    # One cell, then the warm process with all its cells: the matrix lives on.
    matrix = start(folder, *JOBS)
    kill(running()[0])
    time.sleep(0.5)
    running()
    kill(*warm())
    time.sleep(0.5)
    # Everything at once.
    running()
    kill(matrix.pid, *below(matrix.pid))
    matrix.communicate()

    # The matrix alone: its cells are told by the kernel, and do not write beside their successors.
    matrix = start(folder, *JOBS)
    running()
    kill(matrix.pid)
    matrix.communicate()

    # A stop in good order.
    matrix = start(folder, *JOBS)
    running()
    matrix.send_signal(signal.SIGTERM)
    out, _ = matrix.communicate()
    assert matrix.returncode == 75, out
    assert "stopped" in out

    code, out = to_the_end(folder, *JOBS)
    assert code == 0, out
    assert records(folder) == records(whole)
    assert len(records(whole)) == 8
    assert resumed
    monkeypatch.chdir(folder)
    requeued = [event["why"] for event in events() if event["event"] == "requeued"]
    assert any("SIGKILL" in why for why in requeued)
    assert any("warm process" in why for why in requeued)


def test_a_second_start_runs_nothing(whole) -> None:
    before = {path: path.stat().st_mtime_ns for path in whole.glob("work_dirs/*/*/*/result.yml")}
    code, out = to_the_end(whole, *JOBS, "--record")
    assert code == 0, out
    assert "8 cells: 8 done before, 0 to run" in out
    assert {path: path.stat().st_mtime_ns for path in whole.glob("work_dirs/*/*/*/result.yml")} == before
    assert (whole / "configs/wave_kd/metafile.yml").is_file()


def test_fresh_processes_give_the_same_records(whole, tmp_path) -> None:
    folder = slow_project(tmp_path / "fresh", seconds=0.0)
    code, out = to_the_end(folder, "--fresh", "--seeds", "0", *JOBS)
    assert code == 0, out
    wanted = {name: record for name, record in records(whole).items() if "seed0" in name}
    assert records(folder) == wanted
