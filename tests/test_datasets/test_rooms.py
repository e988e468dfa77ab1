"""Tests of the synthetic home."""

import multiprocessing
import pickle
import re

import numpy as np
import pytest
from torch.utils.data import DataLoader

from kdbench.datasets.base import Draw
from kdbench.datasets.rooms import ACTIONS, Rooms, RoomsAugment
from kdbench.datasets.rooms.script import frame_times
from kdbench.datasets.rooms.sound import log_mel

ALL = {"modalities": ("rgb", "audio", "skeleton"), "fields": ("visible", "mask")}
SMALL = {**ALL, "num_clips": 12, "num_frames": 6, "frame_size": (24, 32), "num_rooms": 2}
CLAP, RUB_HANDS, KNOCK, STAMP = (ACTIONS.index(name) for name in ("clap", "rub_hands", "knock", "stamp"))


def flat(sample):
    return {**sample["inputs"], **{name: value for name, value in sample.items() if name != "inputs"}}


def assert_same(one, other):
    one, other = flat(one), flat(other)
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


@pytest.fixture(scope="module")
def rooms():
    return Rooms(**SMALL)


@pytest.mark.parametrize("supervision", ["frame", "sequence"])
@pytest.mark.parametrize("views", [None, (2, 0)])
def test_samples_match_the_spec(supervision, views):
    rooms = Rooms(**SMALL, supervision=supervision, views=views, people=1)
    sample, spec = rooms[3], rooms.spec
    assert {name: value.shape for name, value in sample["inputs"].items()} == dict(spec.inputs)
    fields = {name: np.shape(value) for name, value in sample.items() if name != "inputs"}
    assert fields == dict(spec.fields)
    assert ("frame_target" in fields) == (supervision == "frame")
    assert (spec.num_classes, spec.task, spec.num_train) == (len(ACTIONS), "multi-label", 12)
    dtypes = {"rgb": "uint8", "visible": "bool", "mask": "bool", "index": "int64"}
    for name, value in flat(sample).items():
        assert np.asarray(value).dtype == dtypes.get(name, "float32"), name


def test_a_clip_depends_on_nothing_but_seed_split_and_index(rooms):
    forwards = [rooms[i] for i in range(4)]
    again = Rooms(**SMALL)
    for index in (3, 1, 0, 2):
        assert_same(again[index], forwards[index])
    assert_same(rooms[Draw(seed=5, epoch=7, index=2)], forwards[2])
    for other in ({"seed": 1}, {"split": "val"}):
        assert (Rooms(**SMALL, **other)[0]["inputs"]["rgb"] != forwards[0]["inputs"]["rgb"]).any()


def test_what_is_not_asked_for_changes_nothing(rooms):
    whole = rooms[1]
    for name in ALL["modalities"]:
        alone = Rooms(**{**SMALL, "modalities": (name,), "fields": ()})[1]
        assert alone.keys() == {"inputs", "target", "frame_target", "index"}
        np.testing.assert_array_equal(alone["inputs"][name], whole["inputs"][name])
    one_view = Rooms(**SMALL, views=(2,))[1]
    for name in ("rgb", "audio"):
        np.testing.assert_array_equal(one_view["inputs"][name][0], whole["inputs"][name][2])


@pytest.mark.parametrize("cache", [False, True])
def test_workers_make_the_same_clips(rooms, cache):
    loader = DataLoader(
        Rooms(**SMALL, cache=cache), batch_size=1, num_workers=2, multiprocessing_context="fork"
    )
    for _ in range(2):
        for index, batch in enumerate(loader):
            one = {name: value[0].numpy() for name, value in flat(batch).items()}
            assert_same({"inputs": {}, **one}, {"inputs": {}, **flat(rooms[index])})


def test_cache_is_filled_across_forked_workers_and_survives_changes_of_a_sample():
    rooms = Rooms(**SMALL, cache=True)
    worker = multiprocessing.get_context("fork").Process(target=rooms.load, args=(4,))
    worker.start()
    worker.join()
    assert rooms._cache.get(4) is not None
    first = rooms[4]
    kept = first["inputs"]["rgb"].copy()
    first["inputs"]["rgb"][:] = 0
    np.testing.assert_array_equal(rooms[4]["inputs"]["rgb"], kept)
    assert_same(pickle.loads(pickle.dumps(rooms))[4], rooms[4])


def test_cache_on_disk_is_shared_by_runs_with_the_same_options(rooms, tmp_path, monkeypatch):
    monkeypatch.setenv("KDBENCH_CACHE", str(tmp_path))
    first, expected = Rooms(**SMALL, cache="disk"), rooms[4]
    assert_same(first[4], expected)
    second = Rooms(**SMALL, cache="disk")
    monkeypatch.setattr(Rooms, "_render", None)
    assert_same(second[4], expected)
    assert_same(pickle.loads(pickle.dumps(second))[4], expected)
    other = Rooms(**{**SMALL, "seed": 1}, cache="disk")
    assert other._cache.get(4) is None
    assert len(list((tmp_path / "rooms").iterdir())) == 2


def test_targets_need_no_rendering_and_equal_the_samples(rooms, monkeypatch):
    samples = np.stack([rooms[i]["target"] for i in range(12)])
    fresh = Rooms(**SMALL)
    monkeypatch.setattr(fresh, "_render", None)
    np.testing.assert_array_equal(fresh.targets, samples)


def test_labels_follow_onsets_and_offsets(rooms):
    times = frame_times(6, fps=4.0)
    for index in range(12):
        sample, labels = rooms[index], np.zeros((6, len(ACTIONS)))
        for event in rooms.script(index).events:
            for frame, time in enumerate(times):
                labels[frame, event.label] = max(
                    labels[frame, event.label], event.onset <= time < event.offset
                )
        np.testing.assert_array_equal(sample["frame_target"], labels)
        np.testing.assert_array_equal(sample["target"], labels.max(axis=0))


def test_label_noise_changes_training_labels_only():
    def wrong(split):
        rooms = Rooms(split=split, num_clips=200, label_noise=0.3)
        events = [event for i in range(200) for event in rooms.script(i).events]
        return np.mean([event.label != event.action for event in events])

    assert 0.24 < wrong("train") < 0.36
    assert wrong("val") == wrong("test") == 0


def test_visible_says_whether_the_mask_covers_a_256th(rooms):
    samples = [rooms[i] for i in range(12)]
    for sample in samples:
        np.testing.assert_array_equal(sample["visible"], sample["mask"].sum(axis=(2, 3)) >= 24 * 32 / 256)
    assert 0.2 < np.mean([sample["visible"] for sample in samples]) < 0.95


def test_masked_pixels_are_those_that_people_change():
    quiet = {**SMALL, "noise": {"rgb": 0.0}, "people": 1}
    rooms = Rooms(**quiet)
    sample = rooms[2]
    rgb, mask = sample["inputs"]["rgb"].astype(int), sample["mask"]
    empty = np.median(rgb, axis=1, keepdims=True)
    changed = np.abs(rgb - empty).max(axis=2) > 60
    assert changed.any()
    near_mask = mask | np.roll(mask, 1, 2) | np.roll(mask, -1, 2) | np.roll(mask, 1, 3) | np.roll(mask, -1, 3)
    ever = near_mask.any(axis=1, keepdims=True)  # the median may show somebody who stays
    assert (changed & ever).sum() > 0.95 * changed.sum()


@pytest.mark.parametrize("num_views", [2, 3, 4])
def test_overlap_makes_more_cameras_see_the_same_people(num_views):
    def seen(overlap):
        dials = {
            **SMALL,
            "modalities": (),
            "overlap": overlap,
            "num_views": num_views,
            "people": 1,
            "num_clips": 60,
        }
        rooms = Rooms(**dials)
        return np.mean([rooms[i]["visible"] for i in range(60)])

    shares = [seen(overlap) for overlap in (0.0, 0.5, 1.0)]
    assert shares[0] + 0.1 < shares[1] < shares[2] - 0.05
    assert shares[0] < 0.6


def test_every_action_is_about_as_frequent():
    targets = Rooms(num_clips=800).targets
    assert targets.shape == (800, len(ACTIONS))
    assert np.ptp(targets.mean(axis=0)) < 0.08
    assert (targets.sum(axis=1) > 1).mean() > 0.2  # several labels a clip


def test_bones_keep_their_length(rooms):
    skeleton = rooms[0]["inputs"]["skeleton"][0]
    for a, b in ((4, 5), (5, 6), (8, 9), (9, 10), (12, 13), (13, 14), (16, 17), (17, 18), (1, 3)):
        lengths = np.linalg.norm(skeleton[:, a] - skeleton[:, b], axis=1)
        assert 0.2 < lengths.mean() < 0.65
        np.testing.assert_allclose(lengths, lengths.mean(), rtol=1e-3)
    assert (skeleton[:, 0, 2] > skeleton[:, 14, 2]).all()  # head above ankle


def single_action_features(action, modality):
    """Mean over the frames with one action of one person, a row a clip."""
    rooms = Rooms(num_clips=400, people=1, modalities=(modality,), fields=(), noise={"audio": 0.01})
    rows = []
    for index in np.flatnonzero((rooms.targets.sum(axis=1) == 1) & (rooms.targets[:, action] == 1))[:25]:
        sample = rooms[int(index)]
        frames = sample["frame_target"][:, action] > 0
        value = sample["inputs"][modality]
        rows.append(
            value[:, frames].max(axis=(0, 1, 2)) if modality == "audio" else posture_of(value[0, frames])
        )
    return np.stack(rows)


def posture_of(skeleton):
    """Distance of each hand and foot from the hips."""
    return np.linalg.norm(skeleton[:, [7, 11, 15, 19]] - skeleton[:, [3]], axis=-1).mean(axis=0)


def separation(modality, one, other):
    """How far apart two actions are on the best axis, in pooled standard deviations."""
    a, b = (single_action_features(action, modality) for action in (one, other))
    spread = np.sqrt((a.var(axis=0) + b.var(axis=0)) / 2)
    return (np.abs(a.mean(axis=0) - b.mean(axis=0)) / spread).max()


def test_lookalikes_sound_different_and_soundalikes_look_different():
    assert separation("audio", CLAP, RUB_HANDS) > 2.0
    assert separation("skeleton", CLAP, RUB_HANDS) < 1.2
    assert separation("skeleton", KNOCK, STAMP) > 1.7
    assert separation("audio", KNOCK, STAMP) < 1.2


def test_sound_is_louder_near_its_source():
    rooms = Rooms(num_clips=200, people=1, modalities=("audio",), fields=(), noise={"audio": 0.0})
    wins = []
    for index in np.flatnonzero(rooms.targets[:, CLAP])[:20].tolist():
        script = rooms.script(index)
        tracks, _ = rooms._act(index, script, frame_times(8, 4.0), rooms._set(script.room)[0])
        metres = np.linalg.norm(rooms._cameras().position[:, :2] - tracks[0].place.mean(axis=0), axis=1)
        loudness = rooms[index]["inputs"]["audio"].mean(axis=(1, 2, 3))
        wins.append(loudness[metres.argmin()] > loudness[metres.argmax()])
    assert np.mean(wins) > 0.9


def test_a_waveform_is_what_the_spectrogram_was_made_of():
    dials = dict(num_clips=3, num_frames=8, fps=4.0, frame_size=16, views=(2, 0))
    rooms = Rooms(**dials, modalities=("audio",))
    for index in range(3):
        waveforms = rooms.waveforms(index)
        assert waveforms.shape == (2, 2 * 8000)
        margin = (rooms.clock.window - rooms.clock.hop) // 2
        padded = np.pad(waveforms, ((0, 0), (margin, rooms.clock.window - rooms.clock.hop - margin)))
        spectrogram, rendered = log_mel(padded, rooms.clock, rooms.mel_bins), rooms[index]["inputs"]["audio"]
        np.testing.assert_allclose(spectrogram[:, 1:-1], rendered[:, 1:-1], atol=1e-4)


def test_augmentation_keeps_shapes_and_labels_and_depends_on_the_draw_only():
    rooms = Rooms(**SMALL, transforms=[dict(type="RoomsAugment", shift=3)])
    plain, draws = Rooms(**SMALL)[5], [Draw(0, 1, 5), Draw(0, 2, 5)]
    first, second = (rooms[draw] for draw in draws)
    assert_same(first, rooms[draws[0]])
    assert (first["inputs"]["rgb"] != second["inputs"]["rgb"]).any()
    for name, value in flat(plain).items():
        assert np.asarray(flat(first)[name]).dtype == np.asarray(value).dtype
        assert np.shape(flat(first)[name]) == np.shape(value)
    np.testing.assert_array_equal(first["target"], plain["target"])
    still = RoomsAugment(gain=0.0, shift=0, audio_gain=0.0, audio_noise=0.0)
    assert_same(still(plain, np.random.default_rng(0)), plain)


@pytest.mark.parametrize(
    ("dials", "message"),
    [
        ({"split": "tests"}, "split 'tests' is unknown; did you mean: test?"),
        ({"supervision": "clip"}, "supervision 'clip' is unknown; there is: frame, sequence"),
        ({"modalities": ("rgb", "audoi")}, "modality 'audoi' is unknown; did you mean: audio?"),
        ({"fields": ("masks",)}, "field 'masks' is unknown; did you mean: mask?"),
        ({"noise": {"depth": 1.0}}, "noise of 'depth' is unknown; there is: audio, rgb, skeleton"),
        ({"noise": {"rgb": -1.0}}, "rgb_noise=-1.0; rgb_noise is at least 0.0"),
        ({"views": (0, 3)}, "view 3 is unknown; there is: 0, 1, 2"),
        ({"views": ()}, "views=(); name at least one camera of 0, 1, 2"),
        ({"people": 3}, "people=3; people is from 1 to 2"),
        ({"overlap": 1.5}, "overlap=1.5; overlap is from 0.0 to 1.0"),
        ({"num_frames": 0}, "num_frames=0; num_frames is at least 1"),
        ({"frame_size": 4}, "frame_height=4; frame_height is from 8 to 512"),
        ({"fps": 0.1}, "fps=0.1; fps is from 0.5 to 60.0"),
        ({"label_noise": 2}, "label_noise=2; label_noise is from 0.0 to 1.0"),
    ],
)
def test_bad_dials_say_what_is_possible(dials, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Rooms(**dials)


def test_bad_index_and_bad_augmentation():
    with pytest.raises(IndexError, match="clip 12; there is: 0 to 11"):
        Rooms(**SMALL)[12]
    with pytest.raises(ValueError, match=r"gain=1.5, .* gain is below 1"):
        RoomsAugment(gain=1.5)
