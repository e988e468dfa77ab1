"""A record is never overwritten by another."""

from pathlib import Path

import pytest
import yaml

from kdbench.engine.record import set_aside, write_result
from kdbench.records import read_record
from kdbench.spec import InvalidDataError
from tests.test_records.made import HASH, record

SAVED = {"path": "predictions.safetensors", "sha256": HASH, "n": 430}


def written(folder: Path, text: str, **fields) -> dict:
    """Write predictions and a record, as a run does: what is there is set aside first."""
    set_aside(folder)
    (folder / "predictions.safetensors").write_text(text)
    write_result(folder, {**record(**fields), "predictions": SAVED})
    return read_record(folder / "result.yml")


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_another_result_sets_the_earlier_one_aside_with_its_predictions(tmp_path):
    first = written(tmp_path, "first", top1=90.0)
    second = written(tmp_path, "second", top1=91.0)
    short = first["run_id"][:8]
    assert first["run_id"] != second["run_id"]
    assert names(tmp_path) == {
        "result.yml", "predictions.safetensors", f"result.{short}.yml", f"predictions.{short}.safetensors"
    }  # fmt: skip
    assert (tmp_path / f"predictions.{short}.safetensors").read_text() == "first"
    assert {**read_record(tmp_path / f"result.{short}.yml"), "file": first["file"]} == first
    assert (tmp_path / "predictions.safetensors").read_text() == "second"


def test_the_same_result_again_leaves_one_record(tmp_path):
    first = written(tmp_path, "same")
    set_aside(tmp_path)
    assert not (
        tmp_path / "result.yml"
    ).exists()  # what may not pass for the result of a run that has not ended
    again = written(tmp_path, "same")
    assert again["run_id"] == first["run_id"]
    assert names(tmp_path) == {"result.yml", "predictions.safetensors"}


def test_a_failure_stays_beside_the_result_that_comes_after_it(tmp_path):
    failure = {
        key: record()[key] for key in ("schema_version", "row", "config", "seed", "epochs", "steps", "repro")
    }
    write_result(tmp_path, {**failure, "status": "diverged", "reason": "nan"})
    reason = read_record(tmp_path / "result.yml")
    written(tmp_path, "well")
    kept = read_record(tmp_path / f"result.{reason['run_id'][:8]}.yml")
    assert kept["reason"] == "nan"
    assert read_record(tmp_path / "result.yml")["status"] == "ok"


def test_three_results_are_three_records(tmp_path):
    for top1 in (90.0, 91.0, 92.0):
        written(tmp_path, str(top1), top1=top1)
    found = [read_record(path)["metrics"]["top1"] for path in tmp_path.glob("result*.yml")]
    assert sorted(found) == [90.0, 91.0, 92.0]


def test_a_kill_between_the_two_renames_is_mended(tmp_path, monkeypatch):
    first = written(tmp_path, "first", top1=90.0)
    import os

    real = os.replace

    def killed(source, target):
        if Path(source).name == "result.yml":
            raise KeyboardInterrupt
        real(source, target)

    monkeypatch.setattr("kdbench.engine.record.os.replace", killed)
    with pytest.raises(KeyboardInterrupt):
        set_aside(tmp_path)
    monkeypatch.undo()
    written(tmp_path, "second", top1=91.0)
    short = first["run_id"][:8]
    assert (tmp_path / f"predictions.{short}.safetensors").read_text() == "first"
    assert read_record(tmp_path / f"result.{short}.yml")["metrics"]["top1"] == 90.0


@pytest.mark.parametrize("text", ["a: [", yaml.safe_dump({**record(), "schema_version": 9})])
def test_what_cannot_be_read_is_kept_too(tmp_path, text):
    (tmp_path / "result.yml").write_text(text)
    written(tmp_path, "new")
    kept = [path for path in tmp_path.glob("result.*.yml")]
    assert [path.read_text() for path in kept] == [text]


def test_a_record_that_is_none_is_not_written(tmp_path):
    first = written(tmp_path, "first")
    with pytest.raises(InvalidDataError, match="speed: Extra inputs"):
        write_result(tmp_path, {**record(top1=1.0), "speed": 3})
    assert read_record(tmp_path / "result.yml") == first
