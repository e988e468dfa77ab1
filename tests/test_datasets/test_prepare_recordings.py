"""Preparing MultiSensor-Home and MM-Office: every defect named, videos re-encoded, killed runs that go on."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile

from kdbench.datasets import MultiSensorHome, mm_office
from kdbench.datasets.media.sound import read_sound
from kdbench.datasets.media.video import probe
from kdbench.datasets.mm_office import CLASSES
from tests.scripts import PREPARE, script
from tests.test_datasets.made_videos import av, damage, make, tone

home, office = script("prepare/multisensor_home"), script("prepare/mm_office")
SMALL = ("--short-side", "24", "--gop", "8", "--jobs", "1")


def action(start, end, *labels):
    return {"start": start, "end": end, "labels": list(labels)}


def entry(session, number, *actions):
    urls = {f"video_url_{view}": f"{session}/{number:02d}-View{view}-Part1.mp4" for view in range(1, 6)}
    return {**urls, "tricks": list(actions)}


TRAIN = [
    entry("01", 0, action(0.0, 0.5, "Enter"), action(0.3, 0.9, "Drink", "Sitdown")),
    entry("02", 0, action(0.2, 0.6, "UsePhone")),
]
TEST = [entry("02", 1, action(0.0, 0.4, "Enter"), action(0.6, 1.0, "Enter"))]


def write_home(root, train=TRAIN, test=TEST, names=("train.json", "test.json", "all_labels.json")):
    """A home as published, videos of a second: 5 views, sessions, annotation."""
    root.mkdir(parents=True)
    for number, record in enumerate([*train, *test]):
        for view in range(1, 6):
            path = root / record[f"video_url_{view}"]
            if not path.exists():
                make(path, count=20 + view, fps=20.0, tint=20 * number + view)
    for name, content in zip(names, (train, test, [*train, *test]), strict=True):
        (root / name).write_text(json.dumps(content))
    (root / "README.md").write_text("as published")
    return root


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    return write_home(tmp_path_factory.mktemp("published") / "home1")


@pytest.fixture
def source(published, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(published, tmp_path / "home1")


def content(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def key_frames(path):
    with av.open(str(path)) as file:
        return [number for number, p in enumerate(file.demux(video=0)) if p.size and p.is_keyframe]


def test_a_home_is_counted_and_written_smaller(published, tmp_path, capsys):
    out = tmp_path / "out"
    assert home.main([str(published), str(out), *SMALL]) == 0
    said = capsys.readouterr().out
    assert [row.split()[1::2] for row in said.splitlines() if row.startswith(("│ train", "│ test"))] == [
        ["train", "2", "10", "2", "4", "4", "0.00", "1.1", "1.1"],
        ["test", "1", "5", "1", "1", "2", "0.00", "1.1", "1.1"],
    ]
    assert "│ Enter        │ 1     │ 1    │" in said
    assert f"{out}: 15 videos named, 15 written" in said
    assert "person_masks.py --detector mmdet" in said
    for record in [*TRAIN, *TEST]:
        for view in range(1, 6):
            name = record[f"video_url_{view}"]
            assert probe(out / name)[:] == (20.0, 20 + view, 24, 32)
            assert key_frames(out / name) == list(range(0, 20 + view, 8))
            np.testing.assert_array_equal(
                read_sound(out / name).waveform, read_sound(published / name).waveform
            )
    for name in ("train.json", "test.json", "all_labels.json", "README.md"):
        assert (out / name).read_bytes() == (published / name).read_bytes()
        assert not (out / name).samefile(published / name)
    MultiSensorHome(out, "test", on_problem="fail", cache=()).verify()


def test_without_a_folder_to_write_it_only_checks(source, capsys):
    before = content(source.parent)
    assert home.main([str(source), "--jobs", "1"]) == 0
    assert content(source.parent) == before
    assert "written" not in capsys.readouterr().out


def break_everything(source):
    """A tree with every defect, and what has to be said of it."""
    (source / "01/00-View2-Part1.mp4").unlink()
    damage(source / "01/00-View4-Part1.mp4")
    make(source / "02/00-View1-Part1.mp4", count=20, fps=20.0, sound="silence")
    make(source / "02/00-View2-Part1.mp4", count=20, fps=20.0, sound=None)
    train, test = json.loads(json.dumps([TRAIN, TEST]))
    train[1]["tricks"] = [action(0.2, 0.6, "UsePhone"), action(0.4, 0.8, "UsePhone")]
    train[0]["tricks"] += [action(0.8, 0.2, "Eat"), action(0.1, 0.2, "Dance")]
    train[1]["video_url_3"], train[1]["video_url_4"] = train[1]["video_url_4"], train[1]["video_url_3"]
    test[0]["tricks"].append(action(7.0, 8.0, "Clean"))
    test[0]["video_url_5"] = train[1]["video_url_5"]
    (source / "train.json").write_text(json.dumps(train))
    (source / "test.json").write_text(json.dumps(test))
    (source / "all_labels.json").write_text(json.dumps([*train, *test, entry("03", 7)]))
    return [
        "01/00-Part1: view 2 is missing",
        "01/00-View4-Part1.mp4 is truncated or damaged",
        "02/00-Part1: view 1 is silent",
        "02/00-Part1: view 2 has no sound track",
        "'UsePhone' from 0.4 s to 0.8 s overlaps that from 0.2 s to 0.6 s",
        "'Eat' from 0.8 s to 0.2 s",
        "the class 'Dance' is unknown",
        "02/00-Part1: view 3 is 02/00-View4-Part1.mp4",
        "'Clean' from 7 s to 8 s; the recording ends at",
        "the class 'Clean' occurs in the test split only",
        "02/01-Part1: its views are of different recordings",
        "02/00-View5-Part1.mp4 belongs to two recordings, 02/00-Part1 (train) and 02/01-Part1 (test)",
        "03/07-Part1: in all_labels.json only",
    ]


def test_every_defect_is_in_one_list_and_nothing_is_written(source, tmp_path, capsys):
    defects, out = break_everything(source), tmp_path / "out"
    assert home.main([str(source), str(out), *SMALL]) == 1
    listed = [line for line in capsys.readouterr().err.splitlines() if line.startswith("  - ")]
    for defect in defects:
        assert sum(defect in line for line in listed) == 1, defect
    assert len(listed) == len(defects) + 1  # views 3 and 4 are swapped: a line each
    assert not out.exists()
    assert home.main([str(source), str(out), *SMALL, "--allow-partial"]) == 0
    said = capsys.readouterr()
    assert f"{out}: 14 videos named, 12 written" in said.out
    assert said.err.count("is truncated or damaged") == 1
    assert not (out / "01/00-View4-Part1.mp4").exists()
    assert MultiSensorHome(out, "train", cache=())[1]["target"].sum() == 1


def test_a_home_in_the_archives_folder_and_of_unknown_classes(tmp_path, capsys):
    root = tmp_path / "home2"
    names = ("train_data.json", "test_data.json", "all_labels.json")
    write_home(root / "MultiSensor-Home2", names=names)
    for name in names:
        (root / "MultiSensor-Home2" / name).rename(root / name)
    assert home.main([str(root), str(tmp_path / "out"), *SMALL]) == 0
    assert "│ UsePhone │ 1     │ 0    │" in capsys.readouterr().out
    assert len(list((tmp_path / "out/MultiSensor-Home2").rglob("*.mp4"))) == 15
    data = MultiSensorHome(tmp_path / "out", "train", home=2, on_problem="fail", cache=())
    assert data.classes == ("Drink", "Enter", "Sitdown", "UsePhone")
    data.verify()


def test_what_is_done_stays_and_other_sizes_do_not_mix(source, tmp_path, capsys):
    out = tmp_path / "out"
    assert home.main([str(source), str(out), *SMALL]) == 0
    before = content(out)
    videos = sorted(out.glob("*/*.mp4"))
    stamps = {path: path.stat().st_mtime_ns for path in videos}
    damage(videos[3])
    (videos[0].parent / f".{videos[0].stem}.xyz.tmp.mp4").write_bytes(b"left by a killed run")
    videos[0].unlink()
    assert home.main([str(source), str(out), *SMALL]) == 0
    assert content(out) == before
    assert [path for path in videos if path.stat().st_mtime_ns != stamps[path]] == [videos[0], videos[3]]
    other = [str(source), str(out), *SMALL, "--short-side", "32"]
    capsys.readouterr()
    assert home.main(other) == 1
    assert "give another folder, or --force" in capsys.readouterr().err
    assert content(out) == before
    assert home.main([*other, "--force"]) == 0
    assert {probe(path).height for path in videos} == {32}


@pytest.mark.parametrize(
    ("damaged", "message"),
    [
        (lambda root: (root / "train.json").unlink(), "has neither train.json nor train_data.json"),
        (lambda root: (root / "test.json").write_text("[{"), "test.json is truncated or damaged"),
        (shutil.rmtree, "is not a folder"),
    ],
)
def test_an_annotation_that_cannot_be_read_is_one_message(source, capsys, damaged, message):
    damaged(source)
    assert home.main([str(source), "--jobs", "1"]) == 1
    said = capsys.readouterr().err
    assert message in said
    assert said.startswith("error: ")


def row(*values):
    return ",".join(map(str, values))


def write_office(root):
    """Two recordings with labels of their halves and one with times: 4 cameras, 8 microphones, tables."""
    clips = [("train", recid, half) for recid in (0, 1) for half in (0, 1)] + [("test", 8, None)]
    for stage, recid, half in clips:
        name = f"s00_recid{recid:03d}" + ("" if half is None else f"_{half}")
        for camera in range(4):
            make(root / f"video/{stage}/split0_id{camera:02d}_{name}.mp4", count=10, fps=10.0)
        for microphone in range(8):
            path = root / f"audio/{stage}/split0_id{microphone:02d}_{name}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, tone(1.0, rate=48000), 48000, subtype="PCM_16")
    labels = root / "label"
    (labels / "trainlabel").mkdir(parents=True)
    (labels / "testlabel").mkdir()
    columns = row("sceneid", "patternid", "division", *(f"class{number}" for number in range(1, 13)))
    events = [
        row(0, pattern, half, *np.eye(12, dtype=int)[2 * pattern + half])
        for pattern in (0, 1)
        for half in (0, 1)
    ]
    (labels / "trainlabel/eventinfo.csv").write_text("\n".join([columns, *events]))
    (labels / "trainlabel/recinfo.csv").write_text("recid,sceneid,patternid\n0,0,0\n1,0,1\n")
    (labels / "testlabel/recid008.csv").write_text("index,eventclass,starttime,endtime\n0,8,0.2,0.7\n")
    return root


@pytest.fixture
def small_office(tmp_path, monkeypatch):
    """MM-Office as if it were three recordings."""
    monkeypatch.setattr(mm_office, "WEAK", (0, 1))
    monkeypatch.setattr(mm_office, "STRONG", (8,))
    monkeypatch.setattr(mm_office, "HELD_OUT", {"multiasl": {"test": (1,)}})
    return write_office(tmp_path / "office")


def test_an_office_is_counted_and_written_smaller(small_office, tmp_path, capsys):
    out = tmp_path / "out"
    assert office.main([str(small_office), str(out), *SMALL]) == 0
    said = capsys.readouterr().out
    assert [line.split()[1:8:2] for line in said.splitlines() if line.startswith(("│ t", "│ strong"))][
        :4
    ] == [
        ["train", "2", "8", "1"],
        ["test", "2", "8", "1"],
        ["strong", "1", "4", "1"],
        [CLASSES[1], "1", "0", "0"],
    ]
    assert f"{out}: 20 videos named, 20 written" in said
    assert {probe(path).height for path in out.glob("video/*/*.mp4")} == {24}
    for path in small_office.rglob("*.*"):
        if path.suffix in (".wav", ".csv"):
            assert (out / path.relative_to(small_office)).read_bytes() == path.read_bytes()
    mm_office.MMOffice(out, "test", on_problem="fail", cache=()).verify()


def test_the_defects_of_an_office_are_named(small_office, capsys):
    (small_office / "video/train/split0_id03_s00_recid000_1.mp4").unlink()
    damage(small_office / "audio/test/split0_id05_s00_recid008.wav", 0.3)
    make(small_office / "video/train/split0_id00_s00_recid0990.mp4", count=3, fps=10.0)
    assert office.main([str(small_office), "--jobs", "1"]) == 1
    said = capsys.readouterr().err
    assert "3 defects" in said
    assert "recid000_1: view 4 is missing" in said
    assert "recid008: sound 6 lasts 0.3 s of 1.0 s" in said
    assert "split0_id00_s00_recid0990.mp4 belongs to no recording" in said


def test_an_office_with_all_recordings_is_asked_for(tmp_path, capsys):
    write_office(tmp_path / "office")
    (tmp_path / "office/audio/train/split0_id07_s00_recid000_0.wav").unlink()
    shutil.rmtree(tmp_path / "office/label")
    assert office.main([str(tmp_path / "office"), "--jobs", "1"]) == 1
    assert "has no folder label/; give the folder that holds video, audio, label" in capsys.readouterr().err


@pytest.mark.slow
def test_a_killed_run_goes_on_and_ends_as_an_undisturbed_one(published, tmp_path):
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert home.main([str(published), str(whole), *SMALL]) == 0
    command = [sys.executable, PREPARE / "multisensor_home.py", published, out, *SMALL[:-1], "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment)
    while len(list(out.glob("*/[0-9]*.mp4"))) < 3:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)  # the parent alone: its workers have to notice
    process.wait()
    done = list(out.glob("*/[0-9]*.mp4"))
    assert 3 <= len(done) < 15
    assert not (out / "train.json").exists()
    for path in done:
        assert path.read_bytes() == (whole / path.relative_to(out)).read_bytes()
    assert subprocess.run(command, env=environment, check=False).returncode == 0
    assert content(out) == content(whole)


@pytest.mark.parametrize("name", ["multisensor_home", "mm_office", "rooms"])
def test_help_answers_at_once(name):
    start = time.perf_counter()
    answer = subprocess.run(
        [sys.executable, PREPARE / f"{name}.py", "--help"], capture_output=True, text=True, check=True
    )
    assert time.perf_counter() - start < 1.0
    assert "--jobs" in answer.stdout
