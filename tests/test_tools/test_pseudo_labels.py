"""Pseudo-labels: shares by hand, who is set together with whom, and a whole command on a smoke run."""

import os
from pathlib import Path

import pytest
import torch

from tests.scripts import script
from tests.toy_project import ROOT, command

pseudo_labels = script("analysis/pseudo_labels")

TOOL = "analysis/pseudo_labels"
ROW = str(ROOT / "configs/crossview/utd_s1_skeleton_cnn_inertial_cnn.py")
REAL = Path(os.environ.get("KDBENCH_DATA_ROOT", "/nowhere"), "utd_mhad")
needs_data = pytest.mark.skipif(not REAL.is_dir(), reason="no utd_mhad below KDBENCH_DATA_ROOT")


def test_shares_are_of_all_hidden_clips_and_of_the_sure_ones():
    said = torch.tensor([[9.0, 0.0], [9.0, 0.0], [0.0, 0.5], [0.5, 0.0]])
    found = pseudo_labels.measure(said, torch.tensor([0, 1, 1, 1]), threshold=0.9)
    assert found == pseudo_labels.Named(right=50.0, sure=50.0, right_of_sure=50.0)


def test_together_the_probabilities_are_multiplied(tmp_path):
    one, other = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 3.0]])
    found = pseudo_labels.spoken([tmp_path / "a", tmp_path / "b"], [one, other])
    torch.testing.assert_close(found["together"].softmax(1), torch.tensor([[0.0, 1.0]]).softmax(1))
    assert [name for name in found if "equally" not in name] == [
        f"{tmp_path.name}/a",
        f"{tmp_path.name}/b",
        "together",
    ]


def test_classes_that_are_named_too_often_are_named_less():
    lopsided = torch.tensor([[9.0, 0.0], [8.0, 0.0], [2.0, 0.0], [1.0, 0.0]])
    assert pseudo_labels.aligned(lopsided).argmax(1).tolist() == [0, 0, 1, 1]


def test_runs_are_taken_together_by_their_seed(tmp_path):
    for folder in ("a/seed0", "a/seed1", "b/seed1", "b/seed2", "c/seed5"):
        (tmp_path / folder).mkdir(parents=True)
    a, b, c = tmp_path / "a", tmp_path / "b", tmp_path / "c"
    assert pseudo_labels.by_seed([a, b]) == [[a / "seed1", b / "seed1"]]
    assert pseudo_labels.by_seed([a / "seed0"]) == [[a / "seed0"]]
    with pytest.raises(ValueError, match=r"no seed is in all folders.*c has seed5"):
        pseudo_labels.by_seed([a, c])


@needs_data
def test_the_command_counts_on_the_training_clips_of_a_row(tmp_path):
    row = str(ROOT / "configs/baseline/utd_s1_labels_inertial_cnn.py")
    assert command(tmp_path, "train", row, "--smoke", "--work-dir", "run").returncode == 0
    done = command(tmp_path, TOOL, ROW, "run")
    assert done.stdout.startswith("324 of 431 training clips have no label; 0.95 is sure")
    assert "run, classes equally frequent  1" in done.stdout


def test_a_row_without_hidden_labels_is_refused(tmp_path):
    row = str(ROOT / "configs/kd/utd_skeleton_cnn_inertial_cnn.py")
    done = command(tmp_path, TOOL, row, str(tmp_path))
    assert done.returncode in (2, 3)
    assert ("hides no label" if REAL.is_dir() else "was not found") in done.stderr
