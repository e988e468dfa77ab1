"""Whole commands on a tiny project: train, test, record, zoo, and what they refuse."""

import json
import re
import sys
import time

import numpy as np
import pytest
import yaml
from safetensors.torch import load_file

from kdbench.records import index_hash, predictions_of, read_record, run_id
from kdbench.zoo.gains import p_text
from tests.toy_project import ALONE, ROW, TEACHER, command, process, write_project

NAME = "wave_kd/waves_wave_skeleton_wave_inertial"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return write_project(tmp_path_factory.mktemp("project"))


def succeeded(folder, tool, *arguments, **environment):
    done = command(folder, tool, *arguments, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(folder, code, message, tool, *arguments, **environment):
    done = command(folder, tool, *arguments, **environment)
    assert done.stderr.splitlines()[-len(message.splitlines()) :] == f"error: {message}".splitlines()
    assert "Traceback" not in done.stderr
    assert done.returncode == code


def result(folder, row, seed=0, root="work_dirs"):
    return yaml.safe_load((folder / root / row / f"seed{seed}/result.yml").read_text())


@pytest.fixture(scope="module")
def trained(project):
    """The folder after teacher, lone student and distilled student were trained with two seeds."""
    for seed in ("0", "1"):
        for row in (TEACHER, ALONE, ROW):
            succeeded(project, "train", row, "--seed", seed, "--threads", "1")
    return project


@pytest.mark.parametrize("tool", ["train", "test", "check", "list", "record", "zoo", "compare", "report"])
def test_help_answers_at_once(project, tool):
    begin = time.perf_counter()
    assert "usage:" in process(project, tool, "--help").stdout
    assert time.perf_counter() - begin < 1


def test_a_result_says_what_was_done(trained):
    found = result(trained, NAME)
    assert found["row"] == NAME
    assert found["status"] == "ok"
    assert found["config"]["parts"]["teacher"] == "wave_skeleton"
    data = dict(found["data"])
    hashes = {"test": index_hash(np.arange(12) % 3), "train": index_hash(np.arange(24) % 3)}
    assert data.pop("index_sha256") == hashes
    assert data.pop("substituted") == {"train": {}, "test": {}}
    assert data.pop("classes") is None  # the toy data do not say
    assert data == {
        "name": "waves",
        "protocol": None,
        "labels": "all",
        "teacher_labels": "all",
        "task": "single-label",
        "num_classes": 3,
        "num_test": 12,
        "num_train": 24,
        "num_labelled": 24,
        "num_recordings": 12,
    }
    assert found["student"]["modalities"] == ["inertial"]
    assert found["teacher"]["views"] == 1
    assert found["run_id"] == run_id(found)
    assert (found["epochs"], found["steps"], found["primary"]) == (2, 6, "top1")
    assert found["student"]["params"] == 96 * 8 + 8 + 8 * 3 + 3
    assert found["student"]["gmacs"] == pytest.approx((96 * 8 + 8 * 3) / 1e9)
    teacher = result(trained, "baseline/waves_wave_skeleton")
    origin = found["teacher"]["origins"][0]
    assert origin["sha256"] == teacher["student"]["sha256"]
    assert origin["metrics"] == teacher["metrics"]
    assert found["selected"]["epoch"] in (1, 2)
    assert found["environment"]["threads"] == 1
    assert found["repro"]["command"].endswith(f"{ROW} --seed 0 --threads 1")


def test_predictions_give_the_metric_again(trained):
    found = result(trained, NAME, seed=1)
    columns = load_file(trained / "work_dirs" / NAME / "seed1" / found["predictions"]["path"])
    assert columns["score"].shape == (12, 3)
    assert columns["index"].tolist() == list(range(12))
    right = (columns["score"].argmax(1) == columns["target"]).float().mean().item()
    assert 100 * right == pytest.approx(found["metrics"]["top1"])
    selected = found["selected"]["predictions"]
    columns = load_file(trained / "work_dirs" / NAME / "seed1" / selected["path"])
    right = (columns["score"].argmax(1) == columns["target"]).float().mean().item()
    assert 100 * right == pytest.approx(found["selected"]["metrics"]["top1"])


@pytest.mark.parametrize("file", ["student.safetensors", "step_6.safetensors", None])
def test_testing_gives_the_metrics_of_training(trained, tmp_path, file):
    checkpoint = [f"work_dirs/{NAME}/seed0/{file}"] if file else []
    dump = tmp_path / "dump.json"
    succeeded(trained, "test", ROW, *checkpoint, "--work-dir", str(tmp_path), "--dump", str(dump))
    before, after = result(trained, NAME), yaml.safe_load((tmp_path / "result.yml").read_text())
    assert after["metrics"] == before["metrics"]
    assert after["epochs"] == before["epochs"]
    assert after["train"] is None
    dumped = json.loads(dump.read_text())
    assert dumped["metrics"] == before["metrics"]
    assert len(dumped["samples"]) == 12
    assert len(dumped["samples"][0]["score"]) == 3


def test_a_student_whose_weights_the_config_names_needs_no_checkpoint(trained):
    weights = "work_dirs/baseline/waves_wave_inertial/seed1/student.safetensors"
    option = f"model.student.weights={weights}"
    out = succeeded(trained, "test", ALONE, "--cfg-options", option, "--work-dir", "joined")
    assert "; joined/result.yml" in out
    found = yaml.safe_load((trained / "joined/result.yml").read_text())
    lone = result(trained, "baseline/waves_wave_inertial", 1)
    assert found["metrics"] == lone["metrics"]
    assert found["student"]["origins"][0]["row"] == "baseline/waves_wave_inertial"
    assert found["student"]["sha256"] is not None
    refused(trained, 2, "no checkpoint was given, work_dirs/baseline/waves_wave_inertial/seed8/student.safetensors is "
            "not there, and the row's student names no weights; train it with: python tools/train.py "
            f"{ALONE} --seed 8", "test", ALONE, "--seed", "8")  # fmt: skip


def test_a_teacher_that_saw_other_labels_is_refused(trained):
    base = trained / "configs/_base_/datasets/waves.py"
    text = base.read_text()
    base.write_text(text + 'labels = "subjects 1 3"\nteacher_labels = "subjects 1 3"\n')
    try:
        refused(trained, 2, "the teacher work_dirs/baseline/waves_wave_skeleton/seed0/student.safetensors has labels "
                "'all'; the row says 'subjects 1 3'", "train", ROW)  # fmt: skip
    finally:
        base.write_text(text)


def test_record_and_zoo(trained):
    rows = ("baseline/waves_wave_skeleton", "baseline/waves_wave_inertial", NAME)
    succeeded(trained, "record", *(f"work_dirs/{row}" for row in rows))
    assert command(trained, "zoo", "--check").returncode == 1
    succeeded(trained, "zoo")
    succeeded(trained, "zoo", "--check")
    zoo = (trained / "model_zoo.md").read_text()
    score = sum(result(trained, NAME, seed)["metrics"]["top1"] for seed in (0, 1)) / 2
    line = next(line for line in zoo.splitlines() if "| wave_kd" in line)
    assert f"| {score:.1f} ±" in line
    assert "wave_skeleton (" in line
    path = trained / "configs/wave_kd/metafile.yml"
    found = yaml.safe_load(path.read_text())["Models"][0]["Results"][0]
    assert found["Metrics"]["top1"] == round(score, 4)
    assert found["Interval"]["Method"] == "hierarchical bootstrap"
    assert found["Interval"]["Interval"][0] <= score <= found["Interval"]["Interval"][1]
    lone = [result(trained, "baseline/waves_wave_inertial", seed) for seed in (0, 1)]
    (pair,) = found["Paired"]
    assert pair["Against"] == "baseline/waves_wave_inertial"
    assert pair["Students"] == {seed: one["student"]["sha256"][:8] for seed, one in enumerate(lone)}
    mean = sum(one["metrics"]["top1"] for one in lone) / 2
    assert pair["Difference"] == pytest.approx(score - mean, abs=1e-4)
    assert f"p {p_text(pair['P'])}" in line
    assert re.match(r"\| wave_kd‡?§ ", line)  # two seeds; ‡ where this checkout has changes

    row, text = trained / ROW, (trained / ROW).read_text()
    row.write_text(text.replace("tau=3.0", "tau=3.5"))
    try:
        refused(
            trained,
            2,
            f"{ROW} or a part of it has changed since work_dirs/{NAME}/seed0/result.yml was made; "
            "train it again, or bring back the row",
            "record",
            f"work_dirs/{NAME}",
        )
        assert "model_zoo.md is stale; run python tools/zoo.py" in command(trained, "zoo", "--check").stderr
        succeeded(trained, "zoo")
        assert re.search(r"\| wave_kd†", (trained / "model_zoo.md").read_text())
    finally:
        row.write_text(text)


def test_a_smoke_run_stays_apart(project):
    out = succeeded(project, "train", ROW, "--smoke", "--seed", "7", "--student", "wave_inertial_wide")
    file = "work_dirs/baseline/waves_wave_skeleton/seed7/student.safetensors"
    assert f"smoke run: {file} is not there, its network is random" in out
    found = result(project, f"{NAME}+student=wave_inertial_wide", 7, "work_dirs/smoke")
    assert found["config"]["random_weights"] == [file]
    assert found["epochs"] == 1
    folder = f"work_dirs/smoke/{NAME}+student=wave_inertial_wide"
    file = f"{folder}/seed7/result.yml"
    message = f"these results are not recorded:\n  - {file} is of a smoke run, which measures nothing"
    refused(project, 2, message, "record", folder)


def test_resume_ends_as_if_nothing_had_been(project, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    succeeded(project, "train", ALONE, "--work-dir", str(whole))
    succeeded(project, "train", ALONE, "--work-dir", str(parts))
    (parts / "step_6.safetensors").unlink()
    (parts / "result.yml").unlink()
    succeeded(project, "train", ALONE, "--work-dir", str(parts), "--resume")
    one, other = (load_file(folder / "student.safetensors") for folder in (whole, parts))
    assert all(one[name].equal(other[name]) for name in one)
    results = [read_record(folder / "result.yml") for folder in (whole, parts)]
    assert results[0]["metrics"] == results[1]["metrics"]
    assert results[0]["selected"] == results[1]["selected"]
    assert results[0]["run_id"] == results[1]["run_id"]


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        (["--cfg-options", "optim_wrapper.optimizer.lr=0.5"], r"of a run with config \w{64} \(now \w{64}\)"),
        (["--amp", "bf16"], r"of a run with precision float32 \(now bfloat16\)"),
    ],
)
def test_a_run_goes_on_only_as_it_began(project, tmp_path, changed, named):
    succeeded(project, "train", ALONE, "--work-dir", str(tmp_path))
    files = [path for path in tmp_path.iterdir() if path.suffix in (".yml", ".safetensors")]
    before = {path: path.read_bytes() for path in files}
    done = command(project, "train", ALONE, "--work-dir", str(tmp_path), "--resume", *changed)
    assert done.returncode == 5
    assert re.search(named, done.stderr)
    assert tmp_path / "result.yml" in before
    assert {path: path.read_bytes() for path in files} == before


def test_a_folder_that_cannot_be_written_is_one_line(project, tmp_path):
    (tmp_path / "file").write_text("")
    done = command(project, "train", ALONE, "--work-dir", str(tmp_path / "file"))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: [Errno")
    assert str(tmp_path / "file") in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_run_that_has_ended_keeps_its_record(project, tmp_path):
    succeeded(project, "train", ALONE, "--work-dir", str(tmp_path))
    first = read_record(tmp_path / "result.yml")
    succeeded(project, "train", ALONE, "--work-dir", str(tmp_path), "--resume")
    assert read_record(tmp_path / "result.yml")["run_id"] == first["run_id"]
    assert [path.name for path in tmp_path.glob("result*.yml")] == ["result.yml"]
    succeeded(project, "train", ALONE, "--work-dir", str(tmp_path), "--seed", "5")
    kept = tmp_path / f"result.{first['run_id'][:8]}.yml"
    assert read_record(tmp_path / "result.yml")["seed"] == 5
    assert read_record(kept)["metrics"] == first["metrics"]
    assert predictions_of(read_record(kept)).score.shape == (12, 3)


def test_validation_selects_and_the_test_split_never_does(project, tmp_path):
    base = project / "configs/_base_/datasets/waves.py"
    text = base.read_text()
    base.write_text(text.replace('split="val"', 'split="test"'))
    try:
        succeeded(project, "train", ALONE, "--work-dir", str(tmp_path))
    finally:
        base.write_text(text)
    assert yaml.safe_load((tmp_path / "result.yml").read_text())["selected"] is None


def test_a_dry_run_writes_nothing_and_says_what_is_missing(project):
    before = {path for path in project.rglob("*") if "__pycache__" not in path.parts}
    done = command(project, "train", ROW, "--dry-run", "--seed", "9")
    assert done.returncode == 2
    assert "teacher: WaveSkeleton, 2,371 parameters" in done.stdout
    assert (
        "missing: there is no weight file work_dirs/baseline/waves_wave_skeleton/seed9/student.safetensors; "
        "make it with: python tools/train.py configs/baseline/waves_wave_skeleton.py --seed 9"
    ) in done.stdout
    assert re.search(r"one step: loss .*loss_kd", done.stdout)
    assert {path for path in project.rglob("*") if "__pycache__" not in path.parts} == before
    absent = command(project, "train", TEACHER, "--dry-run", TOY_DATA="absent")
    assert absent.returncode == 3
    assert "missing: waves.npz is missing; make it with tools/prepare/waves.py" in absent.stdout


def test_a_command_as_a_process_of_its_own(project, tmp_path):
    done = process(project, "train", ALONE, "--work-dir", str(tmp_path), "--threads", "1")
    assert done.returncode == 0, done.stderr
    assert f"; {tmp_path}/result.yml" in done.stdout


def test_print_config(project):
    out = succeeded(project, "train", ROW, "--print-config", "--cfg-options", "model.distiller.tau=2")
    assert "tau=2" in out
    assert not (project / f"work_dirs/{NAME}+model.distiller.tau=2").exists()


def test_amp_and_trackers(project, tmp_path):
    succeeded(project, "train", ALONE, "--work-dir", str(tmp_path), "--amp", "bf16", "--tracker", "jsonl")
    assert yaml.safe_load((tmp_path / "result.yml").read_text())["environment"]["precision"] == "bfloat16"


def test_trackio_gets_the_scalars(project, tmp_path):
    (tmp_path / "trackio.py").write_text(
        "calls = []\n"
        "def init(project, name, resume): calls.append((project, name))\n"
        "def log(scalars, step): calls.append((step, scalars))\n"
        "def finish(): calls.append('end')\n"
    )
    sys.path.insert(0, str(tmp_path))
    try:
        succeeded(project, "train", ALONE, "--work-dir", "tracked/run/seed0", "--tracker", "trackio")
        calls = sys.modules.pop("trackio").calls
    finally:
        sys.path.remove(str(tmp_path))
    assert calls[0][0] == "kdbench"
    assert calls[0][1].startswith("tracked/run/seed0/")
    assert {name for _, scalars in calls[1:-1] for name in scalars} >= {"loss", "lr", "top1"}
    assert calls[-1] == "end"
    refused(project, 2, "the tracker 'mlflow' needs the package 'mlflow'; pip install mlflow",
            "train", ALONE, "--tracker", "mlflow")  # fmt: skip


def test_what_is_refused_in_one_line(project):
    refused(
        project, 2, "there is no weight file work_dirs/baseline/waves_wave_skeleton/seed9/student.safetensors; "
        "make it with: python tools/train.py configs/baseline/waves_wave_skeleton.py --seed 9",
        "train", ROW, "--seed", "9",
    )  # fmt: skip
    refused(project, 2, "no part in models is called 'wave'; there is: wave_inertial, wave_inertial_wide, "
            "wave_skeleton, wave_skeleton_wide", "train", ROW, "--teacher", "wave")  # fmt: skip
    refused(
        project,
        3,
        "waves.npz is missing; make it with tools/prepare/waves.py",
        "train",
        TEACHER,
        TOY_DATA="absent",
    )
    refused(project, 2, f"--auto-scale-lr: {ALONE} does not say auto_scale_lr = dict(base_batch_size=...)",
            "train", ALONE, "--auto-scale-lr")  # fmt: skip
    refused(project, 2, "there is no checkpoint nowhere.safetensors", "test", ROW, "nowhere.safetensors")


def test_a_run_that_diverges(project, tmp_path):
    options = ["--cfg-options", "model.task_weight=inf", "--work-dir", str(tmp_path)]
    done = command(project, "train", ALONE, *options)
    assert done.returncode == 4
    assert "the loss is" in done.stderr.splitlines()[-1]
    found = yaml.safe_load((tmp_path / "result.yml").read_text())
    assert found["status"] == "diverged"
    assert "metrics" not in found


def test_a_damaged_checkpoint_is_refused(project, tmp_path):
    path = tmp_path / "step_3.safetensors"
    path.write_bytes(b"no checkpoint")
    done = command(project, "train", ALONE, "--work-dir", str(tmp_path), "--resume", str(path))
    assert done.returncode == 5
    assert f"error: {path} is not a whole checkpoint" in done.stderr


def test_check_names_every_problem(project):
    assert "3 rows checked, 0 problems" in succeeded(project, "check")
    wrong = project / "configs/wave_kd/waves_wrong.py"
    wrong.write_text(
        (project / ROW).read_text().replace("model = dict(", "data.update(num_classes=4)\nmodel = dict(")
    )
    odd = project / "configs/wave_kd/odd.py"
    odd.write_text((project / ALONE).read_text().replace("student=student", "student=dict(type='Wave')"))
    try:
        done = command(project, "check")
        assert done.returncode == 1
        assert done.stderr.splitlines() == [
            "configs/wave_kd/odd.py: it imports waves_wave_inertial; rename it or import what its name says",
            "configs/wave_kd/odd.py: no backbone is called 'Wave'; did you mean: WaveSkeleton, WaveInertial?",
            "configs/wave_kd/waves_wrong.py: it imports waves_wave_skeleton_wave_inertial; "
            "rename it or import what its name says",
        ]
        assert "5 rows checked, 3 problems" in done.stdout
    finally:
        wrong.unlink()
        odd.unlink()


def test_lists(project):
    assert "Distilling the Knowledge" in succeeded(project, "list", "distillers")
    assert "SkeletonCNN" in succeeded(project, "list", "backbones")
    assert "UTDMHAD" in succeeded(project, "list", "datasets")
    parts = succeeded(project, "list", "parts")
    assert re.search(r"wave_inertial_wide +models +WaveInertial +3,003", parts)
    rows = succeeded(project, "list", "rows", "--distiller", "wave_hint")
    assert re.search(r"waves_wave_skeleton_wave_inertial.py +yes", rows)
    assert re.search(
        r"baseline/waves_wave_inertial.py +no: WaveHint learns from a teacher; the row has none", rows
    )
    refused(project, 2, "--distiller goes with: list.py rows", "list", "parts", "--distiller", "wave_hint")
