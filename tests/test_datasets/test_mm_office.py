"""The splits of MM-Office without a file, and its files by their published names."""

import json
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from kdbench.datasets.mm_office import (
    CLASSES,
    HELD_OUT,
    STRONG,
    WEAK,
    Clip,
    MMOffice,
    read_split,
    split_clips,
)
from kdbench.datasets.timeline import Interval
from kdbench.spec import InvalidDataError

from .made_videos import make, tone

SIZES = {("multiasl", "train"): 492, ("multiasl", "test"): 212}
SIZES |= {("mmasl", "train"): 424, ("mmasl", "val"): 140, ("mmasl", "test"): 140}


def scene(recid: int) -> tuple[int, int]:
    """Any scene and pattern for a recording."""
    return recid % 11 + 1, recid % 7 + 1


def classes_of(scene_id: int, pattern: int, division: int) -> list[int]:
    """Any classes for a half of a scenario, counted from 0, at least one."""
    return sorted({(scene_id + pattern) % 12, (scene_id * (division + 2)) % 12})


def name(kind: str, sensor: int, clip: Clip) -> str:
    stage, ending = "test" if clip.division is None else "train", "mp4" if kind == "video" else "wav"
    return f"{kind}/{stage}/split{clip.recid % 10}_id{sensor:02d}_s{scene(clip.recid)[0]:02d}_{clip.name}.{ending}"


def write_tables(root: Path) -> None:
    """The csv files as the README of MM-Office describes them, a table of events for each strong recording."""
    train, test = root / "label" / "trainlabel", root / "label" / "testlabel"
    train.mkdir(parents=True)
    test.mkdir()
    lines = [f"{recid},{scene(recid)[0]},{scene(recid)[1]}" for recid in (*WEAK, *STRONG)]
    (train / "recinfo.csv").write_text("\n".join(["recid,sceneid,patternid", *lines]) + "\n")
    columns = ",".join(f"class{number}" for number in range(1, 13))
    rows = [
        f"{s},{p},{d}," + ",".join(str(int(c in classes_of(s, p, d))) for c in range(12))
        for s in range(1, 12)
        for p in range(1, 8)
        for d in (0, 1)
    ]
    (train / "eventinfo.csv").write_text("\n".join([f"sceneid,patternid,division,{columns}", *rows]) + "\n")
    for recid in STRONG:
        table = "index,eventclass,starttime,endtime\n0,8,6,14\n1,11,20,35\n"
        (test / f"recid{recid:03d}.csv").write_text(table)


@pytest.fixture(scope="module")
def office(tmp_path_factory):
    """All names of the published data set, empty files: 704 halves and 88 recordings, 4 cameras and 8 microphones."""
    root = tmp_path_factory.mktemp("office") / "mm_office"
    for stage in ("train", "test"):
        for kind in ("video", "audio"):
            (root / kind / stage).mkdir(parents=True)
    weak = [Clip(recid, division) for recid in WEAK for division in (0, 1)]
    for clip in (*weak, *(Clip(recid, None) for recid in STRONG)):
        for kind, sensors in (("video", 4), ("audio", 8)):
            for sensor in range(sensors):
                (root / name(kind, sensor, clip)).touch()
    write_tables(root)
    return root


def test_the_published_numbers_of_recordings():
    assert (len(WEAK), len(STRONG)) == (352, 88)
    assert 2 * len(WEAK) + 2 * len(STRONG) == 880  # clips a sensor, as the README says
    assert not set(WEAK) & set(STRONG)
    assert all(a < b for table in (WEAK, STRONG) for a, b in pairwise(table))


@pytest.mark.parametrize("protocol", HELD_OUT)
def test_splits_have_the_published_sizes_and_share_no_recording(protocol):
    splits = {split: split_clips(split, protocol) for split in ("train", *HELD_OUT[protocol])}
    assert {(protocol, split): len(clips) for split, clips in splits.items()} == {
        key: size for key, size in SIZES.items() if key[0] == protocol
    }
    recids = [{clip.recid for clip in clips} for clips in splits.values()]
    assert sum(map(len, recids)) == len(set.union(*recids)) == len(WEAK)
    assert all(
        {c.division for c in clips if c.recid == clips[0].recid} == {0, 1} for clips in splits.values()
    )


@pytest.mark.parametrize(
    ("protocol", "split", "inside", "outside"),
    [
        ("multiasl", "test", (10, 14, 120, 565, 673), (0, 15, 566, 677)),  # first and last lines of the lists
        ("multiasl", "train", (0, 160, 677, 675), (10, 673, 8)),
        ("mmasl", "test", (0, 60, 327, 432), (20, 10, 677)),
        ("mmasl", "val", (20, 40, 336, 566), (0, 10)),
        ("mmasl", "train", (10, 677, 315), (0, 20, 566)),
    ],
)
def test_recordings_that_the_published_lists_name(protocol, split, inside, outside):
    recids = {clip.recid for clip in split_clips(split, protocol)}
    assert recids >= set(inside)
    assert not recids & set(outside)


@pytest.mark.parametrize(("protocol", "split"), SIZES)
def test_every_file_of_a_split_is_found_by_its_name(office, protocol, split):
    data = MMOffice(office, split=split, protocol=protocol)
    assert data.recordings == [
        record.name.partition("_")[0] for record in data.records
    ]  # halves are kept together
    assert len(data) == SIZES[protocol, split]
    assert not [path for record in data.records for path in record.videos + record.sounds if "*" in path]
    for record, clip in zip(data.records, split_clips(split, protocol), strict=True):
        assert record.videos == tuple(name("video", camera, clip) for camera in range(4))
        assert record.sounds == tuple(name("audio", microphone, clip) for microphone in (0, 2, 4, 6))
        found = sorted(CLASSES.index(label) for label in record.labels)
        assert found == classes_of(*scene(clip.recid), clip.division)
    assert data.targets.shape == (len(data), 12)
    assert data.spec.inputs["rgb"] == (4, 50, 3, 224, 224)


def test_frame_labels_are_those_of_the_strongly_labelled_recordings(office):
    data = MMOffice(office, supervision="frame")
    assert len(data) == 88
    assert data.records[0].name == "recid008"
    assert data.records[0].intervals == (
        Interval("enter", 6, 14),
        Interval("sit down", 20, 35),
    )  # as the README shows
    assert data.spec.fields["frame_target"] == (50, 12)
    test = MMOffice(office, split="test", supervision="frame")
    assert (len(test), "frame_target" in test.spec.fields) == (212, False)


def test_classes_count_from_one_and_background_is_none(office, tmp_path):
    root = tmp_path / "mm_office"
    write_tables(root)
    (root / "label/testlabel/recid008.csv").write_text(
        "index,eventclass,starttime,endtime\n0,0,0,5\n1,-1,5,6\n2,1,6,7.5\n3,12,8,9\n4,13,9,9.5\n"
    )
    data = MMOffice(root, supervision="frame")
    assert data.records[0].intervals == (
        Interval("eat", 6, 7.5),
        Interval("phone", 8, 9),
        Interval("class13", 9, 9.5),
    )
    assert data.substituted == {"unknown class": 1}


def test_sensors_without_a_file_are_missing_views(office, tmp_path):
    root = tmp_path / "mm_office"
    write_tables(root)
    data = MMOffice(root, split="test")
    problems = list(data.problems())
    assert len([p for p in problems if p.kind == "missing view"]) == 4 * 212
    assert "video/train/split*_id00_s*_recid010_0.mp4" in problems[0].message


def test_samples_of_real_files(tmp_path):
    soundfile = pytest.importorskip("soundfile", reason="soundfile is not installed")
    root, clip = tmp_path / "mm_office", split_clips("test")[0]
    write_tables(root)
    for camera in range(4):
        make(root / name("video", camera, clip), count=40, fps=20.04, sound=None, tint=50 * camera)
    for microphone in range(8):
        path = root / name("audio", microphone, clip)
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, tone(2.0, 200.0 * (microphone + 1), 48000), 48000)
    (root / "list.txt").write_text(f"{clip.name}\n")
    options = dict(
        split="test", split_file=root / "list.txt", num_frames=4, frame_size=32, cache_dir=tmp_path
    )
    options["log_mel"] = dict(hops=8, mel_bins=32, window_ms=50.0, hop_ms=50.0)
    data = MMOffice(root, **options)
    data.verify()
    sample = data[0]
    assert sample["inputs"]["rgb"].shape == (4, 4, 3, 32, 32)
    pitch = sample["inputs"]["audio"].mean(axis=(1, 2)).argmax(axis=1)
    assert (np.diff(pitch) > 0).all()  # microphones 0, 2, 4, 6 hear higher and higher tones
    assert sample["target"].tolist() == data.targets[0].tolist()
    assert not data.substituted
    others = MMOffice(root, microphones=(7, 5, 3, 1), **options)[0]["inputs"]["audio"].mean(axis=(1, 2))
    assert (np.diff(others.argmax(axis=1)) < 0).all()
    tracks = MMOffice(root, sound="videos", **options)
    assert not tracks[0]["inputs"]["audio"].any()
    assert tracks.substituted == {"no sound": 1}
    (root / name("audio", 2, clip)).unlink()
    deaf = MMOffice(root, **options)
    assert [bool(heard.any()) for heard in deaf[0]["inputs"]["audio"]] == [True, False, True, True]
    with pytest.raises(InvalidDataError, match=r"view 2: .*wav is missing"):
        deaf.verify()


def test_lists_of_clips(tmp_path):
    (tmp_path / "split_test.txt").write_text("recid010_0\nrecid010_1\nrecid671_1\n")
    assert read_split(tmp_path / "split_test.txt", "test") == [Clip(10, 0), Clip(10, 1), Clip(671, 1)]
    entries = {
        "recid008_front": {"subset": "test", "annotations": [{"segment": [6.0, 14.0], "label": "enter"}]},
        "recid011_0": {"subset": "train", "annotations": [{"segment": None, "label": "enter"}]},
        "recid012_1": {"subset": "test", "annotations": [{"segment": None, "label": "exit"}]},
    }
    (tmp_path / "gt.json").write_text(json.dumps({"database": entries}))
    assert read_split(tmp_path / "gt.json", "train") == [Clip(11, 0)]
    assert read_split(tmp_path / "gt.json", "test") == [Clip(12, 1)]
    (tmp_path / "wrong.txt").write_text("recid010_0\nrecid10\n")
    with pytest.raises(InvalidDataError, match="'recid10' is no clip of the split 'test'"):
        read_split(tmp_path / "wrong.txt", "test")
    for text in ("", "{}", '{"database": {"recid011_0": {}}}'):
        (tmp_path / "gt.json").write_text(text)
        with pytest.raises(InvalidDataError, match=r"gt\.json is no list of clips"):
            read_split(tmp_path / "gt.json", "test")
    with pytest.raises(InvalidDataError, match="is no list of clips"):
        read_split(tmp_path / "absent.txt", "test")


def test_damaged_tables_are_named(tmp_path):
    root = tmp_path / "mm_office"
    write_tables(root)
    table = root / "label" / "testlabel" / "recid008.csv"
    for text in ("", "index,eventclass,starttime\n0,8,6\n", "index,eventclass,starttime,endtime\n0,x,1,2\n"):
        table.write_text(text or "0\n1\n")
        with pytest.raises(InvalidDataError, match=r"recid008\.csv is no table of the numbers eventclass"):
            MMOffice(root, supervision="frame")
    table.unlink()
    with pytest.raises(InvalidDataError, match=r"recid008\.csv is missing; get it from https://zenodo"):
        MMOffice(root, supervision="frame")
    info = root / "label" / "trainlabel" / "recinfo.csv"
    info.write_text("recid,sceneid,patternid\n0,1,1\n")
    with pytest.raises(InvalidDataError, match="has no labels of recid010_0"):
        MMOffice(root, split="test")


def test_wrong_options_and_absent_data(office, tmp_path, monkeypatch):
    for options, message in (
        (dict(protocol="mmas"), "protocol 'mmas' is unknown; did you mean: mmasl"),
        (dict(split="val"), "no split 'val'; there is: train, test, strong"),
        (dict(sound="wav"), "sound='wav'; there is: microphones, videos"),
        (dict(microphones=(0, 1, 2)), "give 4 of 0 to 7"),
        (dict(microphones=(0, 1, 2, 8)), "give 4 of 0 to 7"),
    ):
        with pytest.raises(ValueError, match=re.escape(message)):
            MMOffice(office, **options)
    monkeypatch.setenv("KDBENCH_DATA_ROOT", str(tmp_path))
    with pytest.raises(
        InvalidDataError, match=r"mm_office is not a folder; get it from https://zenodo\.org/records"
    ):
        MMOffice()
