"""Home-like recordings in real files: samples, their cache, and each defect that a record can have."""

import json
import logging
import pickle

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, default_collate

from kdbench.datasets import EpochSampler, MultiSensorHome
from kdbench.datasets.base import Draw
from kdbench.datasets.media.cache import ArrayCache
from kdbench.datasets.person_writer import PersonWriter
from kdbench.datasets.persons import Persons
from kdbench.spec import InvalidDataError

from .made_videos import damage, make, number

SOUND = dict(hops=8, mel_bins=32, window_ms=50.0, hop_ms=50.0)
VIEWS, RECORDS = 3, 3
COUNTS = (
    124,
    121,
    130,
)  # frames of the views: at 30 a second and 2.5 steps a second 11 steps of the shortest
ACTIONS = [
    {"start": 0.4, "end": 1.3, "labels": ["Eat"]},
    {"start": 1.0, "end": 3.0, "labels": ["Drink", "UsePhone"]},
]


def url(record: int, view: int) -> str:
    return f"0{record + 1}/00-View{view + 1}-Part1.mp4"


def entry(record: int, actions=ACTIONS) -> dict:
    return {**{f"video_url_{v + 1}": url(record, v) for v in range(VIEWS)}, "tricks": actions}


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Three recordings of three views, 48 x 64, each view with a tint of its own."""
    root = tmp_path_factory.mktemp("home")
    for record in range(RECORDS):
        for view, count in enumerate(COUNTS):
            make(root / url(record, view), count=count, tint=60 * (view + 1) + 5 * record)
    return root


@pytest.fixture
def home(made, tmp_path):
    """Links to these files, so that a test may break them, and the annotation."""
    root = tmp_path / "multisensor_home1"
    for path in made.rglob("*.mp4"):
        link = root / path.relative_to(made)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path)
    annotate(root, [entry(record) for record in range(RECORDS)])
    return root


def annotate(root, entries):
    for split in ("train", "test"):
        (root / f"{split}.json").write_text(json.dumps(entries))


def replace(root, record, view, action):
    """Break one view: ``action`` gets its path, where a file of its own stands."""
    path = root / url(record, view)
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    action(path)
    return path


def opened(root, **options):
    settings = dict(num_frames=5, frame_size=(48, 64), log_mel=SOUND, cache_dir=root.parent / "cache")
    return MultiSensorHome(root, **{**settings, **options})


def test_a_sample_shows_the_steps_and_the_views_in_order(home):
    data = opened(home, split="test", supervision="frame")
    sample = data[1]
    assert sample["inputs"]["rgb"].shape == (VIEWS, 5, 3, 48, 64)
    assert sample["inputs"]["audio"].shape == (VIEWS, 5, 8, 32)
    for view in range(VIEWS):
        frames = sample["inputs"]["rgb"][view]
        assert [number(frame) for frame in frames] == [0, 24, 48, 72, 96]  # steps 0, 2, 4, 6, 8 of 12 frames
        assert abs(float(frames[:, 0, 30:].mean()) - 60 * (view + 1)) < 15
    names = [data.classes[at] for at in np.flatnonzero(sample["target"])]
    assert names == ["Drink", "Eat", "UsePhone"]
    eat, drink = (data.classes.index(name) for name in ("Eat", "Drink"))
    assert sample["frame_target"][:, eat].tolist() == [0, 1, 0, 0, 0]  # steps 1 to 3
    assert sample["frame_target"][:, drink].tolist() == [0, 1, 1, 1, 1]  # steps 2 to 8
    assert (data.targets[1] == sample["target"]).all()
    assert not data.substituted


def test_samples_are_as_the_spec_promises(home):
    data = opened(home, supervision="frame")
    sample, spec = data[0], data.spec
    assert {name: clip.shape for name, clip in sample["inputs"].items()} == spec.inputs
    assert {name: np.shape(sample[name]) for name in spec.fields} == spec.fields
    assert (spec.num_classes, spec.num_train, opened(home, split="test").spec.num_train) == (16, 3, 0)
    assert "frame_target" not in opened(home).spec.fields
    assert "frame_target" not in opened(home)[0]


def test_training_draws_other_steps_each_epoch_and_the_same_for_a_draw(home):
    data = opened(home, modalities=("rgb",))
    shown = [[number(f) for f in data[Draw(0, epoch, 0)]["inputs"]["rgb"][0]] for epoch in range(6)]
    assert len({tuple(numbers) for numbers in shown}) > 1
    assert all(n % 12 == 0 for numbers in shown for n in numbers)
    again = opened(home, modalities=("rgb", "audio"), cache=())[Draw(0, 3, 0)]
    assert [number(f) for f in again["inputs"]["rgb"][0]] == shown[3]


def test_labels_sound_and_frames_are_of_the_same_steps(home):
    draw = Draw(1, 2, 0)
    sample = opened(home, supervision="frame")[draw]
    steps = [number(frame) // 12 for frame in sample["inputs"]["rgb"][0]]
    everything = opened(home, supervision="frame", split="test", num_frames=11)[0]
    assert (sample["frame_target"] == everything["frame_target"][steps]).all()
    assert (sample["inputs"]["audio"] == everything["inputs"]["audio"][:, steps]).all()


@pytest.mark.parametrize("cache", [(), ("rgb",), ("audio",), ("rgb", "audio")])
def test_what_is_kept_on_disk_is_what_was_computed(home, cache):
    fresh, kept = opened(home, cache=()), opened(home, cache=cache)
    for _ in range(2):
        for name, clip in kept[0]["inputs"].items():
            assert np.array_equal(clip, fresh[0]["inputs"][name])
    files = list((home.parent / "cache").rglob("*.npy"))
    assert len(files) == VIEWS * len(cache)
    assert not list((home.parent / "cache").rglob("*.tmp*"))


def test_the_cache_is_made_once_and_again_when_content_or_options_change(home, monkeypatch):
    data = opened(home, modalities=("rgb",))
    before = data[0]["inputs"]["rgb"]
    monkeypatch.setattr("kdbench.datasets.multi_view_videos.read_frames", None)  # nothing is decoded any more
    assert np.array_equal(opened(home, modalities=("rgb",))[0]["inputs"]["rgb"], before)
    monkeypatch.undo()
    assert opened(home, modalities=("rgb",), frame_size=32)[0]["inputs"]["rgb"].shape[-2:] == (32, 32)
    replace(home, 0, 1, lambda path: make(path, count=121, tint=250))
    assert not np.array_equal(opened(home, modalities=("rgb",))[0]["inputs"]["rgb"][1], before[1])


def test_a_damaged_cache_file_is_made_again(home):
    data = opened(home, modalities=("rgb",))
    before = data[0]["inputs"]["rgb"]
    for path in (home.parent / "cache").rglob("*.npy"):
        damage(path)
    assert np.array_equal(opened(home, modalities=("rgb",))[0]["inputs"]["rgb"], before)


def test_a_failed_computation_leaves_nothing(tmp_path):
    source = tmp_path / "source"
    source.write_bytes(b"1")
    cache = ArrayCache(tmp_path / "cache")
    with pytest.raises(ZeroDivisionError):
        cache.get(source, ("a",), lambda: 1 / 0)
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file() and path.name != ".lock"]
    assert cache.get(source, ("a",), lambda: np.ones(3)).tolist() == [1, 1, 1]
    assert cache.get(source, ("a",), lambda: np.zeros(3)).tolist() == [1, 1, 1]
    assert cache.get(source, ("b",), lambda: np.zeros(3)).tolist() == [0, 0, 0]


def test_workers_share_cache_and_count(home):
    replace(home, 1, 0, lambda path: path.unlink())
    data = opened(home)
    loader = DataLoader(
        data, 1, sampler=EpochSampler(data, shuffle=False), num_workers=2, collate_fn=default_collate
    )
    batches = list(loader)
    assert [int(batch["index"]) for batch in batches] == [0, 1, 2]
    assert data.substituted == {"missing view": 1}
    assert len(list((home.parent / "cache").rglob("*.npy"))) == 2 * (RECORDS * VIEWS - 1)
    assert torch.isfinite(batches[0]["inputs"]["audio"]).all()


def test_a_pickled_data_set_reads_the_same(home):
    data = opened(home)
    copy = pickle.loads(pickle.dumps(data))
    assert np.array_equal(copy[2]["inputs"]["rgb"], data[2]["inputs"]["rgb"])


def test_chosen_views(home):
    both, one = opened(home), opened(home, views=(2,))
    assert np.array_equal(
        one[0]["inputs"]["audio"][0, :, :4], opened(home, views=(2, 0))[0]["inputs"]["audio"][0, :, :4]
    )
    assert one[0]["inputs"]["rgb"].shape[0] == 1
    assert both[0]["inputs"]["rgb"].shape[0] == VIEWS
    with pytest.raises(ValueError, match=r"view 3 of .*there is: 0 to 2"):
        opened(home, views=(3,))


# Defects


def silent(path):
    make(path, count=124, sound="silence")


def mute(path):
    make(path, count=124, sound=None)


DEFECTS = {
    "missing view": (lambda path: path.unlink(), r"01/00-Part1: view 2 is missing, .*01/00-View2-Part1\.mp4"),
    "unreadable view": (damage, r"01/00-Part1: view 2: .*00-View2-Part1\.mp4 is truncated or damaged"),
    "silent": (silent, r"01/00-Part1: view 2 is silent"),
    "mute": (mute, r"01/00-Part1: view 2 has no sound track"),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_of_a_view_is_told_when_preparing_and_substituted_in_training(home, defect, caplog):
    action, message = DEFECTS[defect]
    replace(home, 0, 1, action)
    data = opened(home, cache=("rgb", "audio"))
    with pytest.raises(InvalidDataError, match=message) as refused:
        data.verify()
    assert str(refused.value).count("\n  - ") == 1
    with caplog.at_level(logging.WARNING):
        samples = [data[0] for _ in range(3)]
    kind = defect if "view" in defect else "no sound"
    assert data.substituted == {kind: 1}
    assert len(caplog.records) == 1
    rgb, audio = samples[-1]["inputs"]["rgb"], samples[-1]["inputs"]["audio"]
    assert not audio[1].any()
    assert audio[0].any()
    assert audio[2].any()
    assert rgb[1].any() == (kind == "no sound")
    assert rgb[0].any()
    with pytest.raises(InvalidDataError, match=r"again|get it"):
        opened(home, on_problem="fail", cache=())[0]


def test_one_view_that_breaks_while_it_is_decoded_is_black(home, monkeypatch):
    from kdbench.datasets import multi_view_videos

    decode = multi_view_videos.read_frames

    def breaks(path, *arguments):
        if "View3" in path.name:
            raise InvalidDataError(f"{path} is truncated or damaged")
        return decode(path, *arguments)

    monkeypatch.setattr(multi_view_videos, "read_frames", breaks)
    data = opened(home)
    sample = data[0]
    assert not sample["inputs"]["rgb"][2].any()
    assert not sample["inputs"]["audio"][2].any()
    assert data.substituted == {"unreadable view": 1}


def test_a_recording_without_any_view_is_replaced_by_the_next(home):
    for view in range(VIEWS):
        replace(home, 1, view, lambda path: path.unlink())
    data = opened(home)
    sample = data[Draw(0, 0, 1)]
    assert sample["index"] == 2
    assert data.substituted == {"missing view": 1, "unreadable recording": 1}
    annotate(home, [entry(1)])
    with pytest.raises(InvalidDataError, match="no recording of the split 'train' can be read"):
        opened(home)[0]


ANNOTATIONS = {
    "unknown class": (
        {"start": 0, "end": 1, "labels": ["Drnk"]},
        r"class 'Drnk' is unknown; did you mean: Drink",
    ),
    "overlapping intervals": (
        {"start": 1.2, "end": 2.0, "labels": ["Eat"]},
        r"'Eat' from 1.2 s to 2 s overlaps that from 0.4 s to 1.3 s; join them",
    ),
    "bad interval": ({"start": 3.0, "end": 2.0, "labels": ["Eat"]}, r"'Eat' from 3 s to 2 s"),
}


@pytest.mark.parametrize("kind", ANNOTATIONS)
def test_a_defect_of_the_annotation(home, kind):
    action, message = ANNOTATIONS[kind]
    annotate(home, [entry(0), entry(1, [*ACTIONS, action])])
    data = opened(home, supervision="frame")
    assert data.substituted == {kind: 1}
    with pytest.raises(InvalidDataError, match=message) as refused:
        data.verify()
    assert str(refused.value).count("\n  - ") == 1
    assert set(np.unique(data[1]["frame_target"])) <= {0.0, 1.0}
    with pytest.raises(InvalidDataError, match=message):
        opened(home, on_problem="fail")


def test_the_same_action_twice_and_different_ones_at_once_are_no_defect(home):
    annotate(home, [entry(0, [*ACTIONS, {"start": 1.3, "end": 2.0, "labels": ["Eat"]}])])
    opened(home).verify()


def test_an_action_after_the_end_is_told_when_preparing(home):
    annotate(home, [entry(0, [*ACTIONS, {"start": 60.0, "end": 61.0, "labels": ["Clean"]}])])
    with pytest.raises(InvalidDataError, match=r"'Clean' from 60 s to 61 s; the recording ends at 4\.0 s"):
        opened(home).verify()


def test_verify_lists_everything_at_once(home):
    replace(home, 0, 1, lambda path: path.unlink())
    replace(home, 2, 0, damage)
    annotate(home, [entry(0), entry(1, [{"start": 0, "end": 1, "labels": ["Sing"]}]), entry(2)])
    with pytest.raises(InvalidDataError) as refused:
        opened(home).verify()
    assert str(refused.value).count("\n  - ") == 3
    assert "3 problems in 3 recordings" in str(refused.value)


def test_many_of_a_kind_are_counted_but_not_logged_one_by_one(home, caplog):
    wrong = [{"start": 0, "end": 1, "labels": ["Sing"]}]
    annotate(home, [entry(0, wrong)] * 9)
    with caplog.at_level(logging.WARNING):
        data = opened(home)
    assert data.substituted == {"unknown class": 9}
    assert len(caplog.records) == 5
    assert "only counted" in caplog.records[-1].getMessage()


# Persons


@pytest.fixture
def watched(home):
    """A store in which the score of a frame is its number / 200, and one cell of the mask a view is on."""
    writer = PersonWriter(home / "persons" / "onnx", "made", 0.3, "made by a test")
    for record in range(RECORDS):
        for view, count in enumerate(COUNTS):
            masks = np.zeros((count, 12, 16), dtype=bool)
            masks[:, view, 3] = True
            persons = Persons.from_masks(masks, 30.0, scores=np.arange(count) / 200)
            writer.add(url(record, view), persons._replace(masks=masks))
    writer.pack()
    return home


def test_person_scores_are_of_the_frames_that_are_shown(watched):
    data = opened(watched, fields=("visible", "mask"))
    sample = data[Draw(0, 1, 0)]
    for view in range(VIEWS):
        shown = [number(frame) for frame in sample["inputs"]["rgb"][view]]
        assert np.allclose(sample["visible"][view] * 200, shown, atol=1e-3)
    assert sample["mask"].shape == (VIEWS, 5, 12, 16)
    assert [tuple(np.argwhere(sample["mask"][view, 0])[0]) for view in range(VIEWS)] == [
        (0, 3),
        (1, 3),
        (2, 3),
    ]
    assert data.spec.fields["visible"] == (VIEWS, 5)
    assert data.spec.fields["mask"] == (VIEWS, 5, 12, 16)


def test_nobody_is_visible_in_a_view_that_is_black(watched):
    replace(watched, 0, 1, lambda path: path.unlink())
    sample = opened(watched, fields=("visible", "mask"))[0]
    assert not sample["visible"][1].any()
    assert not sample["mask"][1].any()
    assert sample["visible"][2].any()


def test_without_person_scores_the_error_says_how_to_make_them(home):
    with pytest.raises(
        InvalidDataError, match=r"persons/<detector> is missing; there is: nothing; run: python tools"
    ):
        opened(home, fields=("visible",))


def test_of_several_stores_one_is_named(watched):
    (watched / "persons" / "mmdet").symlink_to(watched / "persons" / "onnx")
    with pytest.raises(ValueError, match="persons= one of mmdet, onnx"):
        opened(watched, fields=("visible",))
    assert opened(watched, fields=("visible",), persons="mmdet")[0]["visible"].any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(modalities=("rbg",)), "modality 'rbg' is unknown; did you mean: rgb"),
        (dict(modalities=()), "no modality was asked for"),
        (dict(fields=("visble",)), "field 'visble' is unknown; did you mean: visible"),
        (dict(supervision="clip"), "supervision 'clip' is unknown"),
        (dict(sampling="dense"), "sampling 'dense' is unknown"),
        (dict(on_problem="skip"), "on_problem 'skip' is unknown"),
        (dict(cache=("mask",)), "cache of 'mask' is unknown"),
        (dict(num_frames=0), "num_frames=0"),
    ],
)
def test_wrong_options(home, options, message):
    with pytest.raises(ValueError, match=message):
        opened(home, **options)
