import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, recall_score

from kdbench.evaluation import Calibration
from kdbench.report.predictions import (
    Predictions,
    agreement_with,
    by_class,
    read_predictions,
    reliability,
    teacher_run,
)
from kdbench.report.read import read_run
from tests.report_runs import write_run


def saved(folder, row="kd/a", seed=0, **options):
    return read_predictions(read_run(write_run(folder, row, seed, **options)))


def test_classes_of_single_labels_are_recalls(tmp_path):
    found = saved(tmp_path, accuracy=0.6, clips=90)
    expected = 100 * recall_score(found.target, found.score.argmax(1), average=None)
    assert by_class(found).numpy() == pytest.approx(expected)


def test_classes_of_several_labels_are_average_precisions(tmp_path):
    found = saved(tmp_path, accuracy=0.6, clips=90, several=True)
    expected = [100 * average_precision_score(found.target[:, k], found.score[:, k]) for k in range(4)]
    assert by_class(found).numpy() == pytest.approx(expected)


def test_a_class_without_a_clip_has_no_score(tmp_path):
    found = saved(tmp_path)
    target = found.target.clone()
    target[target == 2] = -100
    assert by_class(found._replace(target=target)).isnan().tolist() == [False, False, True, False]


@pytest.mark.parametrize("several", [False, True])
def test_the_calibration_error_is_the_recorded_one_s(tmp_path, several):
    found = saved(tmp_path, accuracy=0.5, clips=200, several=several)
    expected = Calibration().measure({"score": found.score, "target": found.target})["ECE"]
    made = reliability([found])
    assert made["ece"] == pytest.approx(expected, abs=1e-3)
    bins = np.array(made["bins"])
    assert bins[:, 2].sum() == pytest.approx(1, abs=1e-3)
    assert 100 * (bins[:, 2] * abs(bins[:, 0] - bins[:, 1])).sum() == pytest.approx(expected, abs=0.1)


def test_bins_of_several_runs_are_those_of_all_events(tmp_path):
    runs = [saved(tmp_path, seed=seed, accuracy=0.5) for seed in range(3)]
    together = Predictions(*(torch.cat(column) for column in zip(*runs, strict=True)))
    assert reliability(runs)["bins"] == reliability([together])["bins"]


def test_agreement_counts_shared_decisions(tmp_path):
    student, teacher = saved(tmp_path, "kd/a", accuracy=0.5), saved(tmp_path, "baseline/t", accuracy=0.9)
    same = (student.score.numpy().argmax(1) == teacher.score.numpy().argmax(1)).mean()
    assert agreement_with(student, teacher) == pytest.approx(100 * same)
    assert agreement_with(student, teacher._replace(clip=teacher.clip + 1)) is None


def test_agreement_of_several_labels_is_of_pairs(tmp_path):
    student = saved(tmp_path, "kd/a", accuracy=0.5, several=True)
    teacher = saved(tmp_path, "baseline/t", accuracy=0.9, several=True)
    same = ((student.score.numpy() > 0.5) == (teacher.score.numpy() > 0.5)).mean()
    assert agreement_with(student, teacher) == pytest.approx(100 * same)


def test_the_teacher_is_found_by_its_weights(tmp_path):
    teacher = write_run(tmp_path, "baseline/t", 1)
    run, known = read_run(write_run(tmp_path, "kd/a", 1, teacher=teacher)), read_run(teacher)
    own = known.result["student"]["sha256"]
    assert teacher_run(run, {own: known}) is known
    assert teacher_run(run, {own[::-1]: known}) is None
    assert teacher_run(known, {own: known}) is None


def test_files_that_hold_no_predictions(tmp_path):
    folder = write_run(tmp_path, "kd/a", 0)
    run = read_run(folder)
    (folder / "predictions.safetensors").write_bytes(b"no safetensors")
    assert read_predictions(run) is None
    (folder / "predictions.safetensors").unlink()
    assert read_predictions(run) is None
