"""The command line of a cohort."""

import pytest

from kdbench.records import read_record
from tests.toy_project import ALONE, ROW, TEACHER, command, write_project

LINES = {
    "kd": (ROW,),
    "hint": (ROW, "--distiller", "wave_hint"),
    "wide": (ROW, "--student", "wave_inertial_wide", "--cfg-options", "train_cfg.max_epochs=3"),
    "alone": (ALONE,),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The toy project with a trained teacher, and each line run by itself."""
    folder = write_project(tmp_path_factory.mktemp("project"))
    for words in ((TEACHER,), *((*line, "--work-dir", f"solo/{name}") for name, line in LINES.items())):
        done = command(folder, "train", *words, "--threads", "1")
        assert done.returncode == 0, done.stderr
    return folder


def together(folder, place: str, *more: str):
    words: list[str] = []
    for name, line in LINES.items():
        words += ["+", *line, "--work-dir", f"{place}/{name}", "--threads", "1", *more]
    return command(folder, "cohort", *words[1:])


def comparable(record: dict) -> dict:
    """A record without what time and place change."""
    kept = {key: value for key, value in record.items() if key not in ("file", "run_id", "train")}
    command_line = kept["repro"]["command"].replace("solo/", "x/").replace("shared/", "x/")
    return {**kept, "repro": {**kept["repro"], "created_utc": "", "command": command_line}}


def test_each_row_leaves_what_it_leaves_alone(project) -> None:
    done = together(project, "shared")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("last epoch: ") == len(LINES)
    for name in LINES:
        solo, shared = (project / place / name for place in ("solo", "shared"))
        assert comparable(read_record(shared / "result.yml")) == comparable(read_record(solo / "result.yml"))
        for file in ("student.safetensors", "predictions.safetensors", "history.json"):
            assert (shared / file).read_bytes() == (solo / file).read_bytes(), (name, file)
        assert {path.name for path in shared.glob("*.*")} == {path.name for path in solo.glob("*.*")}


def test_a_row_that_cannot_run_is_told_and_the_others_go_on(project) -> None:
    words = (ROW, "--teacher", "wave_skeleton_wide", "--work-dir", "bad/wide")
    good = ["+", *LINES["kd"], "--work-dir", "bad/kd", "+", *LINES["hint"], "--work-dir", "bad/hint"]
    done = command(project, "cohort", *words, *good)
    assert done.returncode == 1
    assert "wave_skeleton_wide --work-dir bad/wide: failed" in done.stderr
    for name in ("kd", "hint"):
        ours, alone = (project / place / name / "student.safetensors" for place in ("bad", "solo"))
        assert ours.read_bytes() == alone.read_bytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((ROW,), "a cohort is two rows or more, with '+' between them; there is: 1"),
        ((ROW, "--threads", "1", "+", ROW, "--threads", "2"), "--threads holds for all rows of a cohort"),
        ((ROW, "--launcher", "pytorch", "+", ROW), "a cohort is one process; there is: --launcher pytorch"),
    ],
)
def test_wrong_use_is_one_message(project, words, message) -> None:
    done = command(project, "cohort", *words)
    assert done.returncode == 2
    assert message in done.stderr
