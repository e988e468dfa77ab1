"""Virtual views: geometry, sequences and their hash, splits, fields, on small made files and the real recordings."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kdbench.datasets import UTDVirtualViews
from kdbench.datasets.base import Draw
from kdbench.datasets.depth_rendering import Points, front_view
from kdbench.datasets.transforms.rotation import rotation
from kdbench.datasets.utd_mhad import STREAMS, SUBJECTS, all_clips
from kdbench.datasets.utd_mhad_depth import FRONT, Rendering
from kdbench.datasets.utd_virtual_views import (
    ANGLES,
    CENTRAL,
    PIXELS,
    SEQUENCES,
    Sequences,
    cut,
    make_sequences,
    offsets,
    rendering,
)
from kdbench.spec import InvalidDataError
from tests.scripts import script

from .test_utd_mhad import write_made

REAL = Path(os.environ.get("KDBENCH_DATA_ROOT", "/nowhere"), "utd_mhad")
CLIPS = all_clips()


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_made(tmp_path_factory.mktemp("made") / "utd_mhad")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def views(root, cache):
    def opened(split="val", protocol="three-subject", **options):
        return UTDVirtualViews(root, split, protocol, cache_dir=cache, **options)

    return opened


def person(seed=0, points=400):
    """A cloud of points in two frames, as wide as a person with open arms."""
    rng = np.random.default_rng(seed)
    place = rng.uniform((-0.5, -0.7, -0.3), (0.5, 1.0, 0.3), (points, 3)).astype(np.float32)
    return Points(np.sort(rng.integers(0, 2, points)), place, 2)


def test_a_camera_that_is_not_turned_sees_the_front_view():
    def at(*angles):
        turned = [front_view(person(), rotation(y=np.radians(angle)), 48, 48) for angle in angles]
        return np.stack(turned)

    class TwoFrames(Rendering):
        @property
        def shape(self):
            return *super().shape[:-3], 2, self.height, self.width

    front = TwoFrames(48, 48).of(person(), np.eye(3))
    assert (front == front_view(person(), np.eye(3), 48, 48)).all()
    turned = TwoFrames(48, 48, (0.0, 45.0, -90.0)).of(person(), np.eye(3))
    assert (turned[0] == front).all()
    assert (turned == at(0, 45, -90)).all()
    assert (turned[1] != turned[2]).any()


@settings(max_examples=20, deadline=None)
@given(angle=st.floats(-180, 180), x=st.integers(-6, 6), z=st.integers(-6, 6), seed=st.integers(0, 9))
def test_an_action_elsewhere_is_the_same_picture_shifted(angle, x, z, seed):
    """Moving the points by X and Z moves the turned picture by X cos a + Z sin a, whatever the angle."""
    points, turn = person(seed), rotation(y=np.radians(angle))
    moved = points._replace(place=points.place + np.float32([x / 20, 0, z / 20]))
    silhouette = front_view(moved, turn, 48, 48) > 0
    shift = offsets(np.array([x, z]) / 20, (angle,))[0] * PIXELS
    nearest = cut(front_view(points, turn, 48, 48), round(shift), 48) > 0
    others = [cut(front_view(points, turn, 48, 48), round(shift) + step, 48) > 0 for step in (-4, 4)]
    agreement, *worse = (np.mean(silhouette == seen) for seen in (nearest, *others))
    assert agreement > max(worse)
    if abs(shift - round(shift)) < 1e-6 and angle == 0:
        assert (silhouette == nearest).all()


@given(
    arrays(np.uint8, (2, 3, 10), elements=st.integers(0, 3)),
    st.integers(-20, 20),
    st.sampled_from([4, 6, 10]),
)
def test_cutting_shows_each_column_once_at_its_place(pictures, shift, width):
    seen = cut(pictures, shift, width)
    for column in range(width):
        source = column + 5 - width // 2 - shift
        expected = pictures[..., source] if 0 <= source < 10 else 0
        assert (seen[..., column] == expected).all()


def test_the_sequences_are_the_published_ones():
    sequences = make_sequences()
    assert sequences.sha256 == SEQUENCES
    assert make_sequences().sha256 == SEQUENCES
    assert sequences.clips.shape == (861, 3)
    for row, chosen in enumerate(sequences.clips):
        assert row in chosen
        assert len({*CLIPS.label[chosen]}) == 3
        assert {*CLIPS.subject[chosen]} == {CLIPS.subject[row]}
    assert (np.bincount(np.argmax(sequences.clips == np.arange(861)[:, None], axis=1)) > 250).all()


@settings(max_examples=5, deadline=None)
@given(
    reach=st.floats(0, 5),
    angles=st.lists(st.floats(-180, 180), min_size=1, max_size=4),
    seed=st.integers(0, 2**40),
)
def test_actions_stand_within_reach_and_near_the_centre_of_a_view(reach, angles, seed):
    places = make_sequences(angles, reach, seed).places / 1000
    assert np.abs(places).max() <= reach + 5e-4
    assert np.abs(offsets(places, angles)).min(axis=-1).max() <= CENTRAL + 1e-9
    if reach > 1:
        assert places.std() > reach / 10


def test_another_dial_makes_other_sequences_and_altered_ones_are_refused(views, monkeypatch):
    hashes = {
        make_sequences(*dials).sha256 for dials in ((ANGLES,), (ANGLES, 1.0), (ANGLES, 2.0, 1), ((0.0,),))
    }
    assert len(hashes) == 4
    views(sequences=SEQUENCES)
    for dial in ({"reach": 1.0}, {"seed": 1}, {"angles": (0.0, 45.0)}):
        with pytest.raises(InvalidDataError, match=rf"{SEQUENCES}; there is: \w{{64}}; .*sequences=None"):
            views(sequences=SEQUENCES, **dial)

    def altered(*dials):
        sequences = make_sequences(*dials)
        places = sequences.places.copy()
        places[700, 1, 0] += 1
        return Sequences(sequences.clips, places)

    monkeypatch.setattr("kdbench.datasets.utd_virtual_views.make_sequences", altered)
    with pytest.raises(InvalidDataError, match="there is"):
        views(sequences=SEQUENCES)


@pytest.mark.parametrize(
    ("protocol", "split", "count", "subjects"),
    [
        ("cross-subject", "train", 431, {1, 3, 5, 7}),
        ("cross-subject", "test", 430, {2, 4, 6, 8}),
        ("three-subject", "train", 323, {1, 3, 5}),
        ("three-subject", "val", 108, {7}),
        ("three-subject", "test", 430, {2, 4, 6, 8}),
    ],
)
def test_splits_share_no_subject_and_every_clip_is_in_its_own(views, protocol, split, count, subjects):
    data = views(split, protocol)
    assert len(data) == count
    clips = data.sequences.clips[data.rows]
    assert {*CLIPS.subject[clips].ravel()} == subjects
    assert {*clips.ravel()} == {*data.rows}
    assert data.spec.num_train == (count if split == "train" else 0)


@pytest.mark.parametrize("vary", [False, True])
def test_a_sample_is_what_the_spec_promises(views, vary):
    data = views(fields=("visible", "mask"), vary=vary, variants=2)
    for index in (0, 57, 107):
        sample = data[index]
        spec = data.spec
        assert {name: value.shape for name, value in sample["inputs"].items()} == dict(spec.inputs)
        assert {name: np.shape(sample[name]) for name in spec.fields} == dict(spec.fields)
        depth, mask = sample["inputs"]["depth"], sample["mask"]
        assert depth.dtype == np.uint8
        assert (mask == (depth[:, :, 0] > 0)).all()
        assert sample["visible"].any(axis=0).all()
        assert (sample["target"] == data.targets[index]).all()
        assert sample["target"].sum() == 3


def test_labels_follow_the_actions(views):
    data = views()
    sample = data[5]
    labels = CLIPS.label[data.sequences.clips[data.rows[5]]]
    assert sample["frame_target"].argmax(axis=1).tolist() == np.repeat(labels, 8).tolist()
    assert (sample["frame_target"].sum(axis=1) == 1).all()
    assert np.flatnonzero(sample["target"]).tolist() == sorted(labels)
    assert "frame_target" not in views(supervision="sequence")[5]


def test_visible_is_where_a_quarter_of_the_person_is(views):
    """Against all that a view would show if it saw 2.4 m and the action stood in its centre."""
    data, whole = views(fields=("visible", "mask")), views(fields=("mask",), field_of_view=2.4, reach=0.0)
    aside = views(fields=("mask", "visible"))
    aside.sequences = data.sequences
    whole.sequences = Sequences(data.sequences.clips, np.zeros_like(data.sequences.places))
    shares = []
    for index in range(0, len(data), 9):
        seen, there = data[index], whole[index]["mask"].sum(axis=(2, 3))
        share = seen["mask"].sum(axis=(2, 3)) / np.maximum(there, 1)
        assert (seen["visible"] == (share >= 0.25)).all()
        shares.append(share)
    assert 0 < np.mean(np.array(shares) >= 0.25) < 1


def test_the_sensor_has_the_samples_of_its_frames(views):
    data = views()
    sample, alone = data[3], views(modalities=("inertial",), fields=())
    assert (alone[3]["inputs"]["inertial"] == sample["inputs"]["inertial"]).all()
    assert set(alone[3]) == {"inputs", "target", "frame_target", "index"}
    clip = data.sequences.clips[data.rows[3]][1]
    own = int(np.flatnonzero(data.rows == clip)[0])
    other = int(np.flatnonzero(data.sequences.clips[data.rows[own]] == clip)[0])
    again = data[own]["inputs"]["inertial"][8 * other : 8 * other + 8]
    assert (sample["inputs"]["inertial"][8:16] == again).all()
    assert np.ptp(again) > 0


def test_a_draw_is_a_pure_function_and_varies_only_where_asked(views):
    varied, fixed = views(vary=True, variants=2), views()
    first, again, other = (varied[Draw(0, epoch, 8)]["inputs"]["depth"] for epoch in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()
    assert (fixed[Draw(0, 1, 8)]["inputs"]["depth"] == fixed[Draw(0, 2, 8)]["inputs"]["depth"]).all()
    assert (varied.load(8)["inputs"]["depth"] == fixed.load(8)["inputs"]["depth"]).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"modalities": ("rgb",)}, "modality 'rgb' is unknown"),
        ({"fields": ("boxes",)}, "field 'boxes' is unknown"),
        ({"supervision": "clip"}, "supervision 'clip' is unknown"),
        ({"angles": ()}, r"angles=\(\); there is"),
        ({"angles": (0.0, np.nan)}, "angles="),
        ({"reach": -1.0}, "reach=-1.0; there is: 0 to 10"),
        ({"field_of_view": 3.0}, "field_of_view=3.0; there is"),
        ({"variants": 0}, "variants=0; there is"),
        ({"split": "val", "protocol": "cross-subject"}, "no split 'val'"),
    ],
)
def test_options_that_make_no_data_are_refused(views, options, message):
    with pytest.raises(ValueError, match=message):
        views(**options)


def test_sequences_beyond_the_last_are_refused(views):
    with pytest.raises(IndexError, match="there is: 0 to 107"):
        views().load(108)


def test_absent_files_are_named(tmp_path, root):
    with pytest.raises(InvalidDataError, match="is missing; make it again"):
        UTDVirtualViews(tmp_path, cache_dir=tmp_path)
    (tmp_path / STREAMS).symlink_to(root / STREAMS)
    with pytest.raises(InvalidDataError, match=r"depth_s1\.npz is missing"):
        UTDVirtualViews(tmp_path, cache_dir=tmp_path)


def test_the_script_makes_what_the_data_set_makes_and_goes_on(views, root, tmp_path, capsys):
    virtual_views = script("prepare/utd_virtual_views")
    arguments = ["--root", str(root), "--cache", str(tmp_path), "--variants", "1", "--workers", "2"]
    assert virtual_views.main(arguments) == 0
    made = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npy")}
    assert len(made) == len(SUBJECTS)
    assert (
        UTDVirtualViews(root, cache_dir=tmp_path)[9]["visible"]
        == views("train", "cross-subject")[9]["visible"]
    ).all()
    (listed,) = tmp_path.rglob("sequences_*.csv")
    assert listed.read_text().splitlines()[0].split(",")[0] == str(CLIPS.subject[0])
    assert len(listed.read_text().splitlines()) == 861
    gone = next(iter(made))
    gone.unlink()
    assert virtual_views.main(arguments) == 0
    assert {path for path, stamp in made.items() if path.stat().st_mtime_ns != stamp} == {gone}
    assert SEQUENCES in capsys.readouterr().out
    assert virtual_views.main([*arguments, "--reach", "-1"]) == 1
    assert "reach=-1.0" in capsys.readouterr().err


def test_front_views_keep_their_place_in_the_cache():
    assert FRONT.shape == (32, 64, 48)
    assert rendering().shape == (3, 32, 48, 48)


@pytest.mark.skipif(not REAL.is_dir(), reason="UTD-MHAD is not under $KDBENCH_DATA_ROOT")
@pytest.mark.slow
def test_views_of_the_real_recordings_overlap_in_part():
    data = UTDVirtualViews(split="test", modalities=(), sequences=SEQUENCES)
    counts = np.concatenate([data[index]["visible"].sum(axis=0) for index in range(len(data))])
    shares = np.bincount(counts, minlength=4) / len(counts)
    assert shares[0] == 0
    assert shares[1:] == pytest.approx([0.47, 0.25, 0.27], abs=0.03)
