import shutil

import pytest

from kdbench.report.read import config_text, latest, read_history, read_run, read_runs
from tests.report_runs import write_run


def test_runs_are_found_below_folders_and_each_only_once(tmp_path):
    folders = [write_run(tmp_path, row, seed) for row in ("baseline/a", "kd/a") for seed in (0, 1)]
    assert [run.folder for run in read_runs([tmp_path, tmp_path / "kd"])] == folders
    assert all(run.counts and run.warnings == () for run in read_runs([tmp_path]))


def test_a_copy_of_a_run_is_no_second_run(tmp_path):
    folder = write_run(tmp_path / "here", "kd/a", 0)
    write_run(tmp_path / "here", "kd/a", 1)
    shutil.copytree(folder, tmp_path / "there" / "kd/a/seed0")
    assert [run.folder.name for run in read_runs([tmp_path / "there", tmp_path / "here"])] == [
        "seed0",
        "seed1",
    ]


def test_what_another_run_went_on_from_has_no_result(tmp_path):
    write_run(tmp_path, "ab_init/a", 0)
    start = {
        "path": "work_dirs/ab_init/a/seed0", "row": "ab_init/a", "config_sha256": "0" * 64, "labels": "all",
        "protocol": None, "epochs": 1, "steps": 14, "wall_seconds": 1.0, "cpu_seconds": 1.0,
    }  # fmt: skip
    write_run(tmp_path, "ab/a", 0, start=start)
    second, first = read_runs([tmp_path])
    assert (second.counts, second.warnings) == (True, ())
    assert (first.counts, first.warnings) == (False, ("the first phase of ab/a",))


@pytest.mark.parametrize("name", ["empty", "absent"])
def test_a_folder_without_a_run_is_refused(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=f"{name} holds no result.yml; make one with tools/train.py"):
        read_runs([tmp_path / name])


@pytest.mark.parametrize(
    ("changes", "warning", "counts"),
    [
        ({"repro__git_dirty": True}, "measured with uncommitted changes", True),
        ({"config__smoke": True}, "a smoke run, which measures nothing", False),
        ({"status": "diverged", "reason": "loss is NaN"}, "ended as 'diverged': loss is NaN", False),
    ],
)
def test_what_a_reader_should_know(tmp_path, changes, warning, counts):
    run = read_run(write_run(tmp_path, "kd/a", 0, **changes))
    assert run.warnings == (warning,)
    assert run.counts is counts


def test_predictions_that_are_not_the_recorded_ones(tmp_path):
    folder = write_run(tmp_path, "kd/a", 0)
    file = folder / "predictions.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\1")
    assert read_run(folder).warnings == ("its predictions are not the ones that were recorded",)
    file.unlink()
    assert read_run(folder).warnings == ("its predictions are not saved",)


@pytest.mark.parametrize("text", ["row: [", "just words", "row: kd/a\nstatus: ok\nseed: 0\n"])
def test_a_damaged_result_is_kept_with_its_reason(tmp_path, text):
    folder = write_run(tmp_path, "kd/a", 0)
    (folder / "result.yml").write_text(text)
    run = read_run(folder)
    assert not run.counts
    assert run.result["status"] == "unreadable"
    assert "result.yml cannot be read" in run.warnings[0]


def test_history_and_config(tmp_path):
    folder = write_run(tmp_path, "kd/a", 3)
    run = read_run(folder)
    assert len(read_history(run)["train/loss"]) == 6 * 14
    assert config_text(run).startswith("seed = 3\n")
    (folder / "history.json").write_text('{"train/loss": [1.0')
    assert read_history(run) == {}
    (folder / "history.json").unlink()
    (folder / "row.py").unlink()
    assert (read_history(run), config_text(run)) == ({}, "")


def test_the_newest_run_of_a_seed_counts(tmp_path):
    old = read_run(write_run(tmp_path / "old", "kd/a", 1))
    new = read_run(write_run(tmp_path / "new", "kd/a", 1, repro__created_utc="2027-01-01T00:00:00+00:00"))
    other = read_run(write_run(tmp_path, "kd/a", 0))
    assert latest([new, old, other]) == [other, new]
