"""The command that writes the leaderboard: what it takes, what it refuses, what it leaves."""

import json
import re

import pytest

from kdbench.zoo import fold, metafile_text, read_results, with_model
from tests.report_runs import write_run
from tests.toy_project import command, process

TOOL = "report"


def data(page):
    text = re.search(
        r'<script type="application/json" id="data">(.*?)</script>', page.read_text(encoding="utf-8"), re.S
    )
    return json.loads(text[1])


@pytest.fixture
def project(tmp_path):
    for row in ("baseline/a", "kd/a"):
        for seed in range(3):
            write_run(tmp_path / "work_dirs", row, seed)
    return tmp_path


def test_all_results_are_taken_unless_folders_are_named(project):
    done = command(project, TOOL)
    assert re.fullmatch(r"wrote report.html: 2 rows, 6 runs, 0\.\d MB\n", done.stdout), done.stderr
    assert [row["name"] for row in data(project / "report.html")["rows"]] == ["baseline/a", "kd/a"]
    assert command(project, TOOL, "work_dirs/kd", "--out", "pages/kd.html").returncode == 0
    assert [row["name"] for row in data(project / "pages/kd.html")["rows"]] == ["kd/a"]
    assert not list((project / "pages").glob("*tmp*"))


def test_recorded_rows_come_along(project):
    (project / "configs/kd").mkdir(parents=True)
    recorded = {"Collections": [], "Models": []}
    entry = {**fold(read_results(project / "work_dirs/kd/a")), "Name": "kd/b"}
    (project / "configs/kd/metafile.yml").write_text(metafile_text(with_model(recorded, entry, None)))
    assert command(project, TOOL).returncode == 0
    assert {row["name"] for row in data(project / "report.html")["rows"]} == {"baseline/a", "kd/a", "kd/b"}
    assert command(project, TOOL, "--no-recorded").returncode == 0
    assert {row["name"] for row in data(project / "report.html")["rows"]} == {"baseline/a", "kd/a"}


def test_a_place_without_results_is_refused(tmp_path):
    done = command(tmp_path, TOOL)
    assert done.returncode == 2
    assert done.stderr == (
        "error: there is neither work_dirs nor configs/*/metafile.yml; name a folder of runs\n"
    )
    assert command(tmp_path, TOOL, "absent").stderr == (
        "error: absent holds no result.yml; make one with tools/train.py\n"
    )
    assert not list(tmp_path.iterdir())


def test_help_names_what_there_is(tmp_path):
    text = process(tmp_path, TOOL, "--help").stdout
    assert "--out" in text
    assert "work_dirs" in text
