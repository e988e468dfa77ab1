"""The cost and export tools on a tiny project: what they count, write and refuse."""

import csv
import json
import runpy
from unittest.mock import patch

import numpy as np
import pytest
from mmengine.config import Config
from torch.utils.data import default_collate

from kdbench.datasets import NTU
from kdbench.datasets.ntu.names import Name
from kdbench.datasets.ntu.store import Part, write_part, write_store
from kdbench.datasets.ntu.videos import Videos
from kdbench.evaluation import Latency
from kdbench.spec import InvalidDataError
from tests.toy_project import ALONE, ROOT, ROW, TEACHER, command, write_project

COST, EXPORT = "analysis/cost", "analysis/export"
RUN = "work_dirs/baseline/waves_wave_inertial/seed0"
PARAMETERS = 96 * 8 + 8 + 8 * 3 + 3
FEW = ("--repeats", "5", "--warmup", "1", "--clock", "cpu")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = write_project(tmp_path_factory.mktemp("project"))
    for row in (TEACHER, ALONE):
        assert command(folder, "train", row, "--seed", "0").returncode == 0
    return folder


def test_without_data_there_are_operations_and_latency(trained):
    done = command(trained, COST, ROW, *FEW, "--no-data", "--csv", "cost.csv")
    assert done.returncode == 0, done.stderr
    with (trained / "cost.csv").open(newline="") as file:
        torch_line = next(csv.DictReader(file))
    assert torch_line["row"] == "wave_kd/waves_wave_skeleton_wave_inertial"
    assert torch_line["form"] == "torch"
    assert torch_line["trained"] == "False"
    assert int(torch_line["parameters"]) == PARAMETERS
    assert float(torch_line["gflops"]) == pytest.approx(2e-9 * (96 * 8 + 8 * 3))
    assert float(torch_line["gmacs"]) == pytest.approx(1e-9 * (96 * 8 + 8 * 3))
    assert 0 < float(torch_line["p50_ms"]) <= float(torch_line["p95_ms"])
    assert torch_line["score"] == torch_line["file_bytes"] == ""
    assert "one clip, 1 thread(s), 5 forwards after 1 to warm up, cpu clock" in done.stdout


def test_a_run_is_measured_in_every_form(trained):
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package, reason="ONNX files need the extra kdbench[edge]")
    done = command(trained, COST, RUN, *FEW, "--calibration", "6", "--json", "cost.json")
    assert done.returncode == 0, done.stderr
    found = json.loads((trained / "cost.json").read_text())
    assert (found["repeats"], found["warmup"], found["clock"], found["threads"]) == (5, 1, "cpu", 1)
    lines = {line["form"]: line for line in found["lines"]}
    assert [*lines] == ["torch", "onnx", "onnx int8"]
    assert lines["torch"]["score"] == pytest.approx(lines["onnx"]["score"])
    assert lines["onnx"]["difference"] <= 1e-5
    assert {line["test_clips"] for line in found["lines"]} == {12}
    assert all(line["trained"] and line["file_bytes"] > 0 for line in found["lines"])
    weights = trained / RUN / "student.safetensors"
    assert lines["torch"]["file_bytes"] == weights.stat().st_size


def test_the_score_is_that_of_the_record(trained):
    from kdbench.records import read_yaml

    done = command(trained, COST, RUN, *FEW, "--json", "cost.json")
    assert done.returncode == 0, done.stderr
    torch_line = json.loads((trained / "cost.json").read_text())["lines"][0]
    record = read_yaml(trained / RUN / "result.yml")
    assert torch_line["score"] == pytest.approx(record["metrics"]["top1"], abs=1e-3)


def test_an_export_is_checked_and_written(trained):
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package, reason="ONNX files need the extra kdbench[edge]")
    done = command(trained, EXPORT, RUN, "--to", "out/student.onnx", "--int8", "--calibration", "6")
    assert done.returncode == 0, done.stderr
    assert "logits of 9 clips differ from torch's by" in done.stdout
    assert (trained / "out/student.onnx").is_file()
    assert (trained / "out/student-int8.onnx").is_file()


def test_a_folder_is_no_place_for_a_file(trained):
    (trained / "taken-int8.onnx").mkdir()
    for to in ("configs", "taken.onnx"):
        done = command(trained, EXPORT, RUN, "--to", to, "--int8", TOY_DATA="absent")
        assert done.returncode == 2
        assert "is a folder, and a file is to be written" in done.stderr
    for option in ("--json", "--csv"):
        done = command(trained, COST, RUN, option, "configs", TOY_DATA="absent")
        assert done.returncode == 2
        assert "configs is a folder" in done.stderr


def test_what_the_system_refuses_is_one_message(trained):
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package, reason="ONNX files need the extra kdbench[edge]")
    done = command(trained, EXPORT, RUN, "--to", f"{ROW}/student.onnx", "--random")
    assert done.returncode == 2
    assert f"error: {ROW}/student.onnx was not written: [Errno " in done.stderr


@pytest.mark.parametrize(
    ("tool", "option", "value", "least"),
    [
        (COST, "--repeats", "0", 1),
        (COST, "--threads", "0", 1),
        (COST, "--warmup", "-4", 0),
        (COST, "--calibration", "-2", 1),
        (COST, "--clips", "0", 1),
        (EXPORT, "--calibration", "0", 1),
    ],
)
def test_numbers_that_mean_nothing_are_refused(trained, tool, option, value, least):
    done = command(trained, tool, RUN, *(("--to", "student.onnx") if tool == EXPORT else ()), option, value)
    assert done.returncode == 2
    assert f"argument {option}: {value}; there is: {least} and more" in " ".join(done.stderr.split())


def test_all_places_are_read_before_one_is_measured(trained):
    with patch("kdbench.evaluation.timed") as timed:
        done = command(trained, COST, RUN, "configs", "--no-data")
    assert done.returncode == 2
    assert "configs is no folder of a run" in done.stderr
    assert not timed.called


def test_what_is_measured_outlives_a_later_failure(trained):
    outcomes = [Latency(1.0, 2.0), InvalidDataError("waves.npz is missing")]
    with patch("kdbench.evaluation.timed", side_effect=outcomes):
        done = command(trained, COST, RUN, RUN, "--no-data", "--json", "new/some.json", "--csv", "some.csv")
    assert done.returncode == 3
    assert "error: waves.npz is missing" in done.stderr
    assert "baseline/waves_wave_inertial" in done.stdout
    assert [line["p95_ms"] for line in json.loads((trained / "new/some.json").read_text())["lines"]] == [2.0]
    assert len((trained / "some.csv").read_text().splitlines()) == 2


def test_training_clips_that_draw_by_themselves_are_read_as_test_clips(tmp_path, monkeypatch):
    names = [Name(1, 1, performer, 1, 1) for performer in (1, 3)]
    part = tmp_path / "S001.npz"
    write_part(part, Part.of({str(name): np.ones((1, 9, 25, 3), np.float32) for name in names}, {}))
    write_store(tmp_path, [part])
    (tmp_path / "rgb").mkdir()
    frames = np.zeros((2, 3, 4, 4), np.uint8)
    monkeypatch.setattr(Videos, "read", lambda self, name, rng: frames + (rng is not None))
    loaders = {
        f"{split}_dataloader": {
            "dataset": {"type": NTU, "root": str(tmp_path), "split": split},
            "sampler": {"type": "DefaultSampler", "shuffle": False},
            "collate_fn": default_collate,
        }
        for split in ("train", "test")
    }
    tool = runpy.run_path(str(ROOT / "tools/analysis/student.py"))
    student = tool["Student"]("row", 0, None, ("rgb",), None, Config({**loaders, "model": {}}))
    for split in ("train", "test"):
        (clip, _), *_ = tool["clips"](student, split)
        assert not clip["rgb"].any()


def test_what_is_no_run_is_refused(trained):
    done = command(trained, COST, "configs", "--no-data")
    assert done.returncode == 2
    assert "configs is no folder of a run: it lacks student.safetensors or its record; there is: _base_" in (
        done.stderr
    )


def test_a_fitted_student_is_refused():
    done = command(ROOT, COST, "configs/classical/utd_inertial_ridge.py", "--no-data")
    assert done.returncode == 2
    assert "has a student that is fitted, not a network; there is: rows of networks" in done.stderr
