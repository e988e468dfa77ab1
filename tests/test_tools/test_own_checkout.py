"""Tools and cells of a checkout use its own kdbench, whatever else can be imported."""

import os
import subprocess
import sys

from kdbench.matrix.child import environment
from tests.toy_project import ROOT


def test_a_tool_uses_the_kdbench_of_its_own_checkout(tmp_path):
    other = tmp_path / "kdbench"
    other.mkdir()
    (other / "__init__.py").write_text("raise SystemExit('the other one')\n")
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools/list.py"), "distillers"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "ViCoKD" in done.stdout


def test_cells_of_a_matrix_use_the_kdbench_of_the_matrix(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    assert environment(1)["PYTHONPATH"].split(os.pathsep) == [str(ROOT), "elsewhere"]
    monkeypatch.delenv("PYTHONPATH")
    assert environment(1)["PYTHONPATH"] == str(ROOT)
