"""Hand-made features against definitions written out, and the fit against scikit-learn's own classifier."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from kdbench.backbones import Classical
from kdbench.backbones.classical import FEATURES
from kdbench.backbones.hand_features import (
    depth_features,
    image_features,
    inertial_features,
    pyramid,
    skeleton_features,
    views_features,
)

CLASSES, SUBJECTS, CLIPS = 4, 3, 60


def labelled(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features of a ``skeleton`` machine that tell classes apart but for noise, classes, and whose clips they are."""
    rng = np.random.default_rng(seed)
    labels, subjects = np.arange(CLIPS) % CLASSES, np.arange(CLIPS) // CLASSES % SUBJECTS
    width = Classical("skeleton", CLASSES).fc.in_features
    centres = rng.normal(size=(CLASSES, width))
    features = 0.3 * centres[labels] + rng.normal(size=(CLIPS, width)) * rng.uniform(0.1, 9, width)
    return features.astype(np.float32), labels, subjects


def scores(machine: Classical, features: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        standard = (torch.as_tensor(features) - machine.mean) / machine.scale
        return machine.fc(standard).numpy()


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 20), st.integers(1, 4), st.integers(0, 1000))
def test_a_pyramid_holds_the_statistics_of_each_part(frames: int, channels: int, seed: int) -> None:
    clip = np.random.default_rng(seed).normal(size=(frames, channels)).astype(np.float32)
    parts = [part for number in (1, 2) for part in np.array_split(clip, number)]
    wanted = np.concatenate([f(part, axis=0) for part in parts for f in (np.mean, np.std, np.min, np.max)])
    found = pyramid(torch.as_tensor(clip)[None], (1, 2))[0].numpy()
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_a_still_skeleton_has_no_motion_and_a_moved_one_the_same_motion() -> None:
    x = torch.rand(2, 12, 20, 3)
    here, there = skeleton_features(x), skeleton_features(x + 1)
    torch.testing.assert_close(here[:, 1680:], there[:, 1680:], atol=1e-5, rtol=1e-4)
    assert not torch.allclose(here[:, :1680], there[:, :1680])
    assert skeleton_features(torch.ones(1, 12, 20, 3))[:, 1680:].abs().max() == 0


@pytest.mark.parametrize(("cycles", "band"), [(2, 0), (14, 3), (30, 7)])
def test_a_swing_of_the_sensor_shows_in_the_band_of_its_frequency(cycles: int, band: int) -> None:
    """128 samples have 64 frequencies, of which the lower 32 make 8 bands of 4."""
    x = torch.zeros(1, 128, 6)
    x[0, :, 0] = torch.sin(torch.arange(128) * 2 * math.pi * cycles / 128)
    energies = inertial_features(x)[0, -64:].reshape(8, 8)  # channel, band
    assert energies[0].argmax() == band
    assert energies[1].max() == energies[1].min()


def test_depth_says_where_and_views_only_how_high() -> None:
    x = torch.zeros(1, 8, 2, 20, 16)
    x[:, :, 0, 4:10, 2:6] = 1
    assert not torch.allclose(depth_features(x), depth_features(x.roll(6, dims=-1)))
    views = torch.zeros(1, 3, 6, 1, 24, 16)
    views[:, 0, :, :, 4:10, 2:6] = 1
    torch.testing.assert_close(views_features(views), views_features(views.roll(6, dims=-1)))
    torch.testing.assert_close(views_features(views), views_features(views.roll(1, dims=1)))
    assert not torch.allclose(views_features(views), views_features(views.roll(8, dims=-2)))


@pytest.mark.parametrize(("degrees", "orientation"), [(0, 0), (40, 2), (100, 5), (220, 2)])
def test_a_ramp_of_grey_has_gradients_of_its_direction_only(degrees: int, orientation: int) -> None:
    turn = math.radians(degrees)
    down, across = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    ramp = (across * math.cos(turn) + down * math.sin(turn)).expand(1, 3, 32, 32)
    blocks = image_features(ramp)[0, : 36 * 49].reshape(9, 4, 49)
    block = blocks[:, :, 24]  # in the middle, away from the borders
    assert (block.argmax(dim=0) == orientation).all()
    assert block.sum() == pytest.approx(block[orientation].sum().item(), rel=1e-3)


@pytest.mark.parametrize("name", sorted(FEATURES))
def test_features_of_a_clip_do_not_depend_on_the_others(name: str) -> None:
    of = FEATURES[name]
    x = torch.rand(3, *of.shape)
    torch.testing.assert_close(of.function(x)[1:2], of.function(x[1:2]))
    assert of.function(torch.zeros(1, *of.shape)).isfinite().all()


def test_the_fit_is_scikit_learns_ridge_classifier_with_the_strength_that_unseen_subjects_chose() -> None:
    features, labels, subjects = labelled()
    machine = Classical("skeleton", CLASSES, strengths=(1.0, 100.0, 1e9))
    chosen = machine.fit(features, np.eye(CLASSES)[labels], subjects)
    by_hand = {}
    for strength in machine.strengths:
        folds = [(subjects != subject, subjects == subject) for subject in range(SUBJECTS)]
        fitted = [
            (make_pipeline(StandardScaler(), RidgeClassifier(strength)).fit(features[a], labels[a]), b)
            for a, b in folds
        ]
        by_hand[strength] = 100 * np.mean([m.score(features[b], labels[b]) for m, b in fitted])
    assert chosen["score"] == pytest.approx(max(by_hand.values()))
    assert by_hand[chosen["strength"]] == pytest.approx(chosen["score"])
    peer = make_pipeline(StandardScaler(), RidgeClassifier(chosen["strength"])).fit(features, labels)
    np.testing.assert_allclose(scores(machine, features), peer.decision_function(features), atol=2e-3)


def test_clips_in_the_order_of_their_classes_choose_as_in_any_order() -> None:
    features, labels, _ = labelled()
    order = np.argsort(labels, kind="stable")
    machine = Classical("skeleton", CLASSES, strengths=(1.0, 100.0))
    chosen = machine.fit(features[order], np.eye(CLASSES)[labels[order]])
    one = make_pipeline(StandardScaler(), RidgeClassifier(chosen["strength"])).fit(features, labels)
    assert chosen["score"] > 90  # 30 where folds leave out whole classes
    np.testing.assert_allclose(scores(machine, features), one.decision_function(features), atol=2e-3)


def test_several_labels_a_clip_are_one_machine_each() -> None:
    features, labels, subjects = labelled()
    targets = np.eye(CLASSES)[labels] + np.eye(CLASSES)[(labels + 1) % CLASSES]
    machine = Classical("skeleton", CLASSES, strengths=(100.0,))
    machine.fit(features, targets, subjects)
    for label in range(CLASSES):
        one = make_pipeline(StandardScaler(), RidgeClassifier(100.0)).fit(features, targets[:, label])
        np.testing.assert_allclose(
            scores(machine, features)[:, label], one.decision_function(features), atol=2e-3
        )


def test_a_class_without_clips_is_never_said_and_two_fits_are_one() -> None:
    features, labels, subjects = labelled()
    targets = np.eye(CLASSES + 1)[labels]
    machines = [Classical("skeleton", CLASSES + 1, strengths=(10.0, 1000.0)) for _ in range(2)]
    for machine in machines:
        machine.fit(features, targets, subjects)
    assert (scores(machines[0], features).argmax(1) < CLASSES).all()
    assert torch.equal(machines[0].fc.weight, machines[1].fc.weight)


def test_unknown_features_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="no features are called 'skeletons'; did you mean: skeleton"):
        Classical("skeletons", 3)
