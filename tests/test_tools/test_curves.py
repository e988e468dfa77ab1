"""The curves of a tiny project: their numbers are those of the histories, and what is not there is refused."""

import csv
import json
import runpy
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.toy_project import ALONE, ROOT, ROW, TEACHER, command, write_project

spread = runpy.run_path(str(ROOT / "tools/analysis/figure.py"))["spread"]
ROWS = {
    "teacher": "work_dirs/baseline/waves_wave_skeleton",
    "student alone": "work_dirs/baseline/waves_wave_inertial",
    "WaveKD": "work_dirs/wave_kd/waves_wave_skeleton_wave_inertial",
}
TOOL = "analysis/curves"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = write_project(tmp_path_factory.mktemp("project"))
    for seed in ("0", "1", "2"):
        for row in (TEACHER, ALONE, ROW):
            assert command(folder, "train", row, "--seed", seed).returncode == 0
    return folder


def lines(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_table_says_what_the_runs_measured(trained):
    from PIL import Image

    done = command(trained, TOOL, *ROWS.values(), "--out", "figures/all.png")
    assert done.stdout == "wrote figures/all.png and figures/all.csv\n", done.stderr
    assert np.asarray(Image.open(trained / "figures/all.png").convert("RGB")).std() > 10
    found = lines(trained / "figures/all.csv")
    assert [line["label"] for line in found] == [label for label in ROWS for _ in range(2)]
    for line in found:
        epoch = int(line["epoch"])
        scores = [
            json.loads((trained / ROWS[line["label"]] / f"seed{seed}/history.json").read_text())["val/top1"][
                epoch - 1
            ]
            for seed in range(3)
        ]
        mean, deviation = statistics.mean(scores), statistics.stdev(scores)
        assert [float(score) for score in line["each seed"].split()] == pytest.approx(scores, abs=1e-3)
        expected = [mean, mean - deviation, mean + deviation]
        assert [float(line[name]) for name in ("mean top1", "low", "high")] == pytest.approx(
            expected, abs=1e-3
        )
        assert int(line["step"]) == 3 * epoch
    assert not list((trained / "figures").glob(".*"))


def test_bands_labels_and_single_seeds(trained):
    one = f"{ROWS['WaveKD']}/seed1"
    words = ["--band", "range", "--labels", "all seeds", "one", "--x", "step", "--out", "two.png"]
    done = command(trained, TOOL, ROWS["WaveKD"], one, *words)
    assert done.returncode == 0, done.stderr
    found = lines(trained / "two.csv")
    assert [line["label"] for line in found] == ["all seeds"] * 2 + ["one"] * 2
    for line in found:
        scores = [float(score) for score in line["each seed"].split()]
        assert (float(line["low"]), float(line["high"])) == pytest.approx(
            (min(scores), max(scores)), abs=1e-3
        )
    assert found[-1]["seeds"] == "1"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["work_dirs/baseline"], "no ended run in work_dirs/baseline; there is: waves_wave_inertial, "
         "waves_wave_skeleton; train it with tools/train.py"),
        ([ROWS["WaveKD"], "--metric", "top5"], f"{ROWS['WaveKD']}/seed0 has no curve of 'top5'; did you mean: top1?"),
        ([ROWS["WaveKD"], "--labels", "a", "b"], "2 labels; there is: 1 rows, a label each"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_refused(trained, words, message):
    done = command(trained, TOOL, *words, "--out", "never.png")
    assert (done.returncode, done.stderr) == (2, f"error: {message}\n")
    assert not (trained / "never.png").exists()


def test_an_ending_that_is_no_pictures_is_refused_at_once(tmp_path):
    done = command(tmp_path, TOOL, "work_dirs/none", "--out", "curves.doc")
    assert done.returncode == 2
    assert "'curves.doc' is no picture; its name ends in one of: .png," in done.stderr


@settings(deadline=None)
@given(st.lists(st.floats(0, 100), min_size=1, max_size=12), st.floats(0.1, 10))
def test_labels_keep_their_order_and_a_distance(heights, gap):
    moved = spread(heights, gap)
    order = sorted(range(len(heights)), key=heights.__getitem__)
    assert (np.diff([moved[i] for i in order]) >= gap - 1e-6).all()
    if (np.diff(sorted(heights)) >= gap).all():
        assert moved == pytest.approx(heights)
