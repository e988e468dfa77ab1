import numpy as np
import pytest

from kdbench.report.curves import LOSS, POINTS, curves


def test_losses_are_means_an_epoch():
    steps = np.arange(12.0)
    found = curves({"train/loss": steps.tolist()}, 3, "top1")
    assert found == {LOSS: {"x": [1, 2, 3], "y": [1.5, 5.5, 9.5]}}


def test_long_trainings_are_thinned_to_their_mean():
    losses = np.random.default_rng(0).uniform(1, 2, 400 * 5)
    found = curves({"train/loss": losses.tolist()}, 400, "top1")[LOSS]
    assert len(found["y"]) == POINTS
    assert found["x"][-1] == 400
    assert np.mean(found["y"]) == pytest.approx(losses.mean(), abs=1e-4)


def test_scores_stand_at_the_epochs_at_which_they_were_measured():
    found = curves({"val/top1": [50.0, float("nan")], "val/epoch": [2.0, 4.0]}, 4, "top1")
    assert found == {"top1": {"x": [2, 4], "y": [50.0, None]}}


@pytest.mark.parametrize("history", [{}, {"val/top1": [1.0]}, {"train/loss": []}])
def test_what_is_not_there_has_no_curve(history):
    assert curves(history, 4, "top1") == {}
