"""What a cell's folder holds: nothing, its own run, or another's."""

import dataclasses
import zlib
from pathlib import Path

import pytest
import torch

from kdbench.engine.checkpoint import add_checkpoint, save_weights
from kdbench.matrix.results import judge, write_stamp

from .toys import KD, TEACHER, finish, plan_of


@pytest.fixture
def pair(folder, request):
    """A student and its teacher, of a seed of the test's own."""
    seed = 100 + zlib.crc32(request.node.name.encode()) % 100_000
    plan = plan_of(folder, f'rows = [dict(row="{KD}")]\nseeds = ({seed},)')
    teacher, student = plan.cells.values()
    assert (teacher.row, student.row) == (TEACHER, KD)
    return student, teacher


def begin(cell) -> None:
    write_stamp(cell)
    add_checkpoint(Path(cell.folder), 3, {"meta": {}}, 2)


def test_from_open_to_done(pair) -> None:
    student, teacher = pair
    assert judge(student).state == "open"
    finish(teacher)
    begin(student)
    assert judge(student).state == "begun"
    finish(student)
    assert judge(student) == ("done", "")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"seed": 1}, "seed 1, now "),
        ({"config": {"sha256": "f" * 64, "smoke": False}}, "config hash ffffffff, now "),
        (
            {"environment": {"precision": "bfloat16", "deterministic": False}},
            "precision bfloat16, now float32",
        ),
        ({"environment": {"precision": "float32", "deterministic": True}}, "deterministic True, now False"),
    ],
)
def test_a_result_of_another_run(pair, changes, reason) -> None:
    student, _ = pair
    finish(student, **changes)
    found = judge(student)
    assert found.state == "other"
    assert reason in found.reason


def test_auto_is_the_precision_that_the_machine_of_the_run_had(pair) -> None:
    student, _ = pair
    finish(student, environment={"precision": "bfloat16", "deterministic": False, "device": "cpu"})
    assert judge(dataclasses.replace(student, precision="auto")).state == "done"
    assert judge(student).state == "other"


def test_a_student_of_a_teacher_that_has_changed_is_another_run_s(pair) -> None:
    student, teacher = pair
    finish(teacher)
    begin(student)
    finish(student)
    file = Path(teacher.folder, "student.safetensors")
    save_weights(file, {"w": torch.zeros(2)})
    assert judge(student).reason.endswith(f"{file} has changed since")
    Path(student.folder, "result.yml").unlink()
    assert "checkpoints of another run: starts" in judge(student).reason
    file.unlink()  # it will be made again: nothing speaks against the student's result
    finish(student, teacher={"origins": [{"path": str(file), "sha256": "0"}]})
    assert judge(student).state == "done"


def test_a_run_killed_in_its_last_test_goes_on(pair) -> None:
    student, _ = pair
    assert student.selects
    begin(student)
    finish(student, selected=None)
    assert judge(student) == ("begun", "the epoch that validation selects was not tested")
    finish(student)
    Path(student.folder, "predictions.safetensors").unlink()
    assert judge(student).state == "begun"
    Path(student.folder, "step_3.safetensors").unlink()  # nothing to go on from: it must not be trained away
    assert judge(student).state == "other"


def test_a_diverged_run_may_be_tried_again_and_other_checkpoints_may_not(pair) -> None:
    student, _ = pair
    begin(student)
    text = f"row: x\nstatus: diverged\nreason: nan\nseed: {student.seed}\n"
    text += f"config: {{sha256: {student.sha256}, smoke: false}}\n"
    Path(student.folder, "result.yml").write_text(text)
    assert judge(student) == ("begun", "nan")
    Path(student.folder, "result.yml").unlink()
    Path(student.folder, "cell.json").write_text("{")
    assert judge(student).reason.endswith("holds checkpoints of a run that no matrix started")
