"""What a dry run says of weights."""

from pathlib import Path

import pytest
from mmengine.config import Config

from kdbench.backbones import LateFusion

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
