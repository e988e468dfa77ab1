"""Which rows tools/check.py takes for alike, what it skips, and what it checks as a matrix."""

import argparse
import sys
from pathlib import Path

import pytest

from kdbench.compose import compose
from kdbench.models import checks
from tests.scripts import script

ROOT = Path(__file__).parents[2]
KD = ROOT / "configs/kd"
check = script("check")
PAIR = "asl_vit_av_asl_vit_v.py"


def test_rows_are_alike_that_differ_by_names_of_data_and_places_of_files_only() -> None:
    first, twin, other, frame = (
        checks.likeness(compose(KD / f"{data}_{PAIR}").model)
        for data in ("home1", "home2", "mm_office", "home1_frame")
    )
    assert first == twin
    assert len({first, other, frame}) == 3
    tau = compose(KD / f"home1_{PAIR}", options={"model.distiller.tau": 2.0}).model
    assert checks.likeness(tau) != first


def test_a_model_that_passed_is_not_built_again(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[object] = []
    monkeypatch.setattr(checks, "checked", built.append)
    passed: set[str] = set()
    for data in ("home1", "home2", "mm_office"):
        assert not [*check.problems(KD / f"{data}_{PAIR}", passed)]
    assert len(built) == len(passed) == 2
    monkeypatch.setattr(checks, "checked", lambda model: 1 / 0)
    for _ in range(2):  # one that fails does so again
        (problem,) = check.problems(KD / f"home1_frame_{PAIR}", passed)
        assert problem == "ZeroDivisionError: division by zero"


def test_a_row_whose_package_is_missing_is_skipped_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("mmaction", "mmaction.models"):
        monkeypatch.setitem(sys.modules, name, None)  # import raises ImportError
    rows = [KD / "utd_skeleton_cnn_swin_mini.py", KD / "utd_skeleton_cnn_depth_cnn.py"]
    assert check.check(argparse.Namespace(files=rows, configs=ROOT / "configs")) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith(f"{rows[0]} skipped: 'mmaction.*' needs the optional package 'mmaction2'")
    assert printed[0].endswith("pip install 'kdbench[mmaction]'")
    assert printed[1] == "1 rows checked, 1 skipped, 0 problems"


def test_a_matrix_that_is_named_is_checked_as_one(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = tmp_path / "matrices"
    folder.mkdir()
    matrix = folder / "wrong.py"
    matrix.write_text('seeds = (0,)\nrows = [dict(row="kd/no_such_row")]\n')
    good = ROOT / "configs/matrices/smoke.py"
    assert check.check(argparse.Namespace(files=[good], configs=ROOT / "configs")) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "0 rows checked, 1 matrices, 0 problems"
    assert check.check(argparse.Namespace(files=[matrix], configs=tmp_path)) == 1
    assert "no_such_row" in capsys.readouterr().err
