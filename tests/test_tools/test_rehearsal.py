"""What a dry run says of weights, and of its step."""

import re
from pathlib import Path

import pytest
from mmengine.config import Config

from kdbench.backbones import LateFusion
from tests.toy_project import ALONE, command, write_project

MEMBER = {"type": "InertialCNN", "width": 6}
TOOLS = Path(__file__).parents[2] / "tools"


@pytest.mark.parametrize(
    ("weights", "problem"),
    [
        ({}, "the teacher has no weights; give a file, or "),
        ({"weights": "random"}, None),
        ({"weights": "absent.safetensors"}, "there is no weight file absent.safetensors"),
    ],
)
def test_a_teacher_whose_members_have_files_needs_none(weights, problem, monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(TOOLS))
    from rehearsal import absent_weights

    members = [{**MEMBER, **weights}]
    config = Config({"model": {"teacher": {"weights": None, "members": members}}})
    found = list(absent_weights(config, LateFusion(5, members)))
    assert len(found) == (problem is not None)
    assert all(text.startswith(problem) for text in found)


@pytest.mark.parametrize(("weight", "code"), [("1.0", 0), ("inf", 4)])
def test_a_step_whose_loss_is_not_finite_fails(weight, code, tmp_path) -> None:
    done = command(
        write_project(tmp_path), "train", ALONE, "--dry-run", "--cfg-options", f"model.task_weight={weight}"
    )
    assert done.returncode == code
    assert ("one step: loss" in done.stdout) == (code == 0)
    assert not code or re.fullmatch(
        r"error: the loss of one step is not finite: loss inf, loss_task inf\n", done.stderr
    )
