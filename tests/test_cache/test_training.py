"""A run that reads the teacher from a cache is the run that runs it, and what does not fit is refused by name."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from kdbench.cache import manifests
from kdbench.models import Distillation
from kdbench.records import read_record
from kdbench.spec import IncompatibleError
from tests.test_cache.project import write
from tests.test_models.toys import DATA
from tests.toy_project import ROW, TEACHER, command


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """The project with a trained teacher, a run with the live one, and caches in both precisions."""
    folder = write(tmp_path_factory.mktemp("project"))
    ran(folder, "train", TEACHER)
    ran(folder, "train", ROW, "--work-dir", "live")
    ran(folder, "cache_teacher", "build", ROW, "--cache", "exact", "--dtype", "float32", "--jobs", "2")
    ran(folder, "cache_teacher", "build", ROW, "--cache", "halves", "--jobs", "1")
    return folder


def ran(folder: Path, *words: str) -> str:
    done = command(folder, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(folder: Path, *words: str) -> str:
    done = command(folder, *words)
    assert done.returncode in (2, 3, 5), done.stderr
    return done.stderr


def weights(folder: Path) -> bytes:
    return (folder / "student.safetensors").read_bytes()


def test_single_precision_gives_the_bits_of_the_live_teacher(project):
    said = ran(project, "train", ROW, "--work-dir", "cached", "--cache", "exact")
    assert "the teacher is read from exact/" in said
    assert weights(project / "cached") == weights(project / "live")
    record, live = (read_record(project / name / "result.yml") for name in ("cached", "live"))
    assert record["metrics"] == live["metrics"]
    (made,) = manifests(project / "exact").values()
    assert record["teacher_cache"] == {
        "key": made["key"],
        "dtype": "float32",
        "taps": ["logits"],
        "records": 48,
        "draws": None,
        "top_k": None,
    }
    assert record["teacher"] == live["teacher"]
    assert "teacher_cache" not in live


def test_half_precision_trains_and_says_so(project):
    ran(project, "train", ROW, "--work-dir", "half", "--cache", "halves")
    assert read_record(project / "half/result.yml")["teacher_cache"]["dtype"] == "float16"
    half, live = (load_file(project / name / "student.safetensors") for name in ("half", "live"))
    assert all(torch.allclose(half[name], live[name], atol=2e-3) for name in live)


def test_a_cached_run_resumes_to_the_same_bits_and_never_as_a_live_one(project):
    (project / "resumed").mkdir()
    ran(project, "train", ROW, "--work-dir", "first", "--cache", "exact")
    shutil.copy(project / "first/step_3.safetensors", project / "resumed")
    ran(project, "train", ROW, "--work-dir", "resumed", "--cache", "exact", "--resume")
    assert weights(project / "resumed") == weights(project / "live")
    (made,) = manifests(project / "exact").values()
    said = refused(project, "train", ROW, "--work-dir", "resumed", "--resume")
    assert f"is of a run with teacher_cache {made['key']} (now None)" in said
    said = refused(project, "train", ROW, "--work-dir", "resumed", "--cache", "halves", "--resume")
    assert f"is of a run with teacher_cache {made['key']} (now " in said


def test_draws_that_repeat_themselves_are_a_row_of_their_own(project):
    options = ("--cfg-options", "train_cfg.max_epochs=4", "train_dataloader.sampler.draws=2")
    ran(project, "train", ROW, "--work-dir", "cycled_live", *options)
    ran(
        project, "train", ROW, "--work-dir", "cycled", "--cache", "exact", *options
    )  # its two epochs are the draws
    record = read_record(project / "cycled/result.yml")
    assert record["teacher_cache"]["draws"] == 2
    assert record["config"]["sha256"] != read_record(project / "live/result.yml")["config"]["sha256"]
    assert "draws=2" in record["row"]
    live, cached = (load_file(project / n / "student.safetensors") for n in ("cycled_live", "cycled"))
    assert all(torch.allclose(cached[name], live[name], atol=1e-5) for name in live)


def test_a_cache_that_is_not_there_is_built_on_request(project):
    words = ("train", ROW, "--cache", "fresh")
    assert "fresh holds no teacher cache; build it: python tools/" in refused(
        project, *words, "--work-dir", "no"
    )
    for folder in ("built", "found"):
        ran(project, *words, "--build-cache", "--work-dir", folder)
    assert len(manifests(project / "fresh")) == 1
    assert weights(project / "built") == weights(project / "found")


def test_a_changed_teacher_is_named(project, tmp_path):
    copy = tmp_path / "project"
    shutil.copytree(project, copy)
    path = copy / "work_dirs/baseline/waves_wave_skeleton/seed0/student.safetensors"
    state = load_file(path)
    state["fc.bias"] += 1
    save_file(state, path)
    said = refused(copy, "train", ROW, "--work-dir", "cached", "--cache", "exact")
    assert "no teacher cache is that of this run; the one most alike, exact/" in said
    assert "differs in:\n  - teacher.weights: " in said
    assert "build it: python tools/cache_teacher.py build configs/wave_kd/" in said


@pytest.mark.parametrize(
    ("option", "line"),
    [
        ("train_dataloader.dataset.transforms.0.size=0.2", "data.config.transforms: "),
        ("train_dataloader.dataset.num_clips=21", "data.config.num_clips: None, now 21"),
        ("train_dataloader.batch_size=4", "draws.batch_size: 8, now 4"),
        ("train_cfg.max_epochs=3", "draws.epochs: 2, now 3"),
    ],
)
def test_what_has_changed_of_the_run_is_named(project, option, line):
    said = refused(project, "train", ROW, "--work-dir", "x", "--cache", "exact", "--cfg-options", option)
    assert f"\n  - {line}" in said


def test_fewer_epochs_read_the_beginning_of_a_cache(project):
    options = ("--cfg-options", "train_cfg.max_epochs=1")
    ran(project, "train", ROW, "--work-dir", "short_live", *options)
    ran(project, "train", ROW, "--work-dir", "short", "--cache", "exact", *options)
    assert weights(project / "short") == weights(project / "short_live")


def test_a_missing_tap_is_named_with_the_command_that_adds_it(project):
    swap = ("--distiller", "wave_rkd")
    said = refused(project, "train", ROW, *swap, "--work-dir", "rkd", "--cache", "exact")
    assert "lacks the taps embedding; there is: logits; build one that has them: python tools/" in said
    assert "--distiller wave_rkd" in said
    ran(
        project,
        "cache_teacher",
        "build",
        ROW,
        *swap,
        "--cache",
        "both",
        "--taps",
        "logits",
        "--dtype",
        "float32",
    )
    for method, words in (("rkd", swap), ("kd", ())):
        ran(project, "train", ROW, *words, "--work-dir", f"{method}_live")
        ran(project, "train", ROW, *words, "--work-dir", f"{method}_cached", "--cache", "both")
        assert weights(project / f"{method}_cached") == weights(project / f"{method}_live")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            (ROW, "--distiller", "wave_simkd"),
            "borrows the teacher's last layers (teacher), and a cache holds",
        ),
        ((ROW, "--distiller", "wave_alone"), "reads nothing of the teacher; train it without --cache"),
        ((TEACHER,), "has no teacher to learn from, so nothing to cache"),
        (
            (
                ROW,
                "--cfg-options",
                *(f"train_dataloader.sampler.{o}" for o in ("redraw=True", "samples_per_epoch=999")),
            ),
            "two forms, and a cache has one record for both; leave redraw or the cache out",
        ),
    ],
)
def test_rows_that_no_cache_serves_are_refused(project, words, message):
    assert message in refused(project, "train", *words, "--work-dir", "no", "--cache", "nowhere")


def test_a_contradiction_of_the_live_teacher_is_found(project, tmp_path, monkeypatch):
    from kdbench.cache import Records, reading

    read = Records.__getitem__

    def lie(records, rows):
        found = read(records, rows)
        found["logits"] += 0.5
        return found

    monkeypatch.setattr(reading.Records, "__getitem__", lie)
    said = refused(project, "train", ROW, "--work-dir", str(tmp_path / "x"), "--cache", "exact")
    assert "says 'logits' of clip " in said
    assert "otherwise than the live teacher (by 0.5 of " in said


def test_a_half_built_cache_names_the_command_that_finishes_it(project):
    words = ("build", ROW, "--cache", "parts", "--dtype", "float32", "--taps", "embedding")
    ran(project, "cache_teacher", *words)
    (place,) = (project / "parts").glob("*/")
    whole = (place / "records.bin").read_bytes()
    (place / "blocks.log").write_bytes(b"")
    said = refused(project, "train", ROW, "--work-dir", "no", "--cache", "parts")
    assert "is half built or damaged: 0 of 1 blocks are there" in said
    command_line = said.strip().rpartition("python tools/cache_teacher.py ")[2]
    ran(project, "cache_teacher", *command_line.split())
    assert (place / "records.bin").read_bytes() == whole
    assert len(manifests(project / "parts")) == 1


def test_verify_and_stat_say_what_is_there(project, tmp_path):
    said = ran(project, "cache_teacher", "stat", "exact")
    assert "WaveSkeleton" in said
    assert "float32" in said
    assert said.rstrip().endswith("whole")
    assert ran(project, "cache_teacher", "verify", "exact").rstrip().endswith(": whole")
    shutil.copytree(project / "exact", tmp_path / "bad")
    (file,) = (tmp_path / "bad").glob("*/records.bin")
    file.write_bytes(file.read_bytes()[:-1] + b"\xff")
    assert "are not what was written" in refused(project, "cache_teacher", "verify", str(tmp_path / "bad"))
    assert "holds no teacher cache" in refused(project, "cache_teacher", "stat", str(tmp_path / "none"))


def model(**options) -> Distillation:
    student, teacher = {"type": "ToyInertial"}, {"type": "ToySkeleton", "weights": "random"}
    return Distillation(DATA, student, teacher=teacher, distiller={"type": "KD"}, **options)


def test_a_model_that_reads_lessons_has_no_teacher_and_reads_no_modality_of_its():
    cached = model(cached=True)
    assert cached.teacher is None
    assert cached.reads == ("inertial",)
    assert model().reads == ("inertial", "skeleton")
    batch = {
        "inputs": {"inertial": torch.randn(4, 16, 6)},
        "target": torch.arange(4),
        "index": torch.arange(4),
    }
    with pytest.raises(IncompatibleError, match="built with cached=True and a batch has no 'lesson'"):
        cached(**batch, mode="loss")
    losses = cached(**batch, lesson={"logits": torch.randn(4, 5).half()}, mode="loss")
    assert losses["loss_kd"].isfinite()


def test_a_lesson_in_a_batch_takes_the_teachers_place():
    live = model().train()
    live.student.eval()
    inputs = {"inertial": torch.randn(4, 16, 6), "skeleton": torch.randn(4, 8, 5, 3)}
    batch = {"inputs": inputs, "target": torch.arange(4), "index": torch.arange(4)}
    with torch.no_grad():
        lesson = {"logits": live.teacher(inputs["skeleton"])["logits"]}
    live.teacher.forward = None  # whoever calls it fails
    with_lesson = live(**batch, lesson=lesson, mode="loss")
    assert with_lesson["loss_kd"].isfinite()
