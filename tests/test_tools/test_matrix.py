"""The command line of a matrix."""

import json
from pathlib import Path

import pytest

from kdbench.matrix.files import matrices
from kdbench.spec import MissingPackageError
from tests.scripts import script
from tests.test_matrix.deaths import slow_project, to_the_end
from tests.test_matrix.toys import ALONE, KD, TEACHER, finish, plan_of, write_matrix
from tests.toy_project import ROOT, command, write_project

ROWS = f'rows = [dict(row="{KD}"), dict(row="{ALONE}")]\nseeds = (0, 1)'
MATRIX = "configs/matrices/toy.py"


@pytest.fixture
def project(tmp_path, monkeypatch):
    write_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_a_dry_run_prints_the_plan_and_writes_nothing(project) -> None:
    write_matrix(project, ROWS)
    done = command(project, "matrix", MATRIX, "--dry-run", "--seeds", "3")
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [ALONE, "3", "runs", "unknown"] in lines
    assert [TEACHER, "3", "runs", "unknown"] in lines
    assert [KD, "3", "runs", TEACHER, "unknown"] in lines
    assert "3 cells: 0 done before, 3 to run in 2 groups that share data and teacher" in done.stdout
    assert "time: unknown" in done.stdout
    assert not (project / "work_dirs").exists()


def test_a_dry_run_says_what_is_done_and_how_long_the_rest_takes(project) -> None:
    for cell in plan_of(project, ROWS).cells.values():
        if cell.seed == 0:
            finish(cell)
    done = command(project, "matrix", MATRIX, "--dry-run", "--jobs", "1")
    assert "6 cells: 3 done before, 3 to run" in done.stdout
    assert "time: about 30 s with 1 at a time" in done.stdout
    assert "3 from the same row" in done.stdout


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f'rows = [dict(row="{KD}", student="wave_inertal")]', "no part in models is called 'wave_inertal'"),
        ('rows = [dict(row="wave_kd/waves")]', "there is no config configs/wave_kd/waves.py"),
        (f'rows = [dict(row="{KD}", distiler="all")]', "rows[0] has 'distiler'; did you mean: distiller?"),
    ],
)
def test_what_cannot_be_planned_is_one_message(project, text, message) -> None:
    write_matrix(project, text)
    done = command(project, "matrix", MATRIX, "--dry-run")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert message in done.stderr


@pytest.mark.slow
def test_another_run_s_folder_stops_it_before_anything_starts(project) -> None:
    cells = plan_of(project, ROWS).cells.values()
    finish(next(cell for cell in cells if cell.row == ALONE), config={"sha256": "0" * 64, "smoke": False})
    code, out = to_the_end(project)
    assert code == 2
    assert "1 of the cells have folders with another run's files, which stay as they are" in out
    assert not (project / "work_dirs/matrices/toy/progress.json").exists()


@pytest.mark.slow
def test_a_failing_row_is_kept_with_its_error_and_the_rest_is_recorded(tmp_path) -> None:
    text = f'rows = [dict(row="{KD}"), dict(row="{ALONE}")]\nseeds = (0,)'
    folder = slow_project(tmp_path, seconds=0.0, text=text)
    kit = folder / "toykit.py"
    lines = [
        'if type(self).__name__ == "WaveSkeleton" and clip.abs().sum() > 0:',
        '    raise RuntimeError("no bones")',
    ]
    broken = "".join(f"{line}\n        " for line in lines)
    kit.write_text(kit.read_text().replace("        return self.fc(", f"        {broken}return self.fc(", 1))
    code, out = to_the_end(folder, "--jobs", "2", "--record")
    assert code == 1, out
    assert f"failed: {TEACHER} seed 0: exit code 1; the end of work_dirs/matrices/toy/logs/" in out
    assert "RuntimeError: no bones" in out
    assert f"blocked: {KD} seed 0 by {TEACHER} seed 0" in out
    assert f"{ALONE}: seeds 0 -> configs/baseline/metafile.yml" in out
    states = {
        c["row"]: c["state"]
        for c in json.loads((folder / "work_dirs/matrices/toy/progress.json").read_text())["cells"]
    }
    assert states == {TEACHER: "failed", KD: "blocked", ALONE: "done"}


@pytest.mark.slow
def test_a_calibration_gives_an_estimate(tmp_path) -> None:
    text = f'rows = [dict(row="{KD}"), dict(row="{ALONE}")]\nseeds = (0,)'
    code, out = to_the_end(slow_project(tmp_path, seconds=0.01, text=text), "--jobs", "2", "--calibrate")
    assert code == 0, out
    assert "3 from a calibration" in out
    assert {p.parent.name for p in tmp_path.glob("work_dirs/*/*/seed0/result.yml")} == {"seed0"}


def test_the_check_finds_what_is_wrong_with_a_matrix(project) -> None:
    write_matrix(project, ROWS, "good")
    write_matrix(project, f'rows = [dict(row="{KD}", teacher="x"), dict(row="{KD}", distiller="y")]', "bad")
    done = command(project, "check")
    assert done.returncode == 1
    found = [line for line in done.stderr.splitlines() if "matrices" in line]
    assert len(found) == 2
    assert all(line.startswith("configs/matrices/bad.py: ") for line in found)


SHIPPED = matrices(ROOT / "configs")


@pytest.mark.slow
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_shipped_matrices_compose(path: Path, monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    try:
        assert script("check").matrix_problems(path, set()) == []
    except MissingPackageError as error:
        pytest.skip(str(error))
