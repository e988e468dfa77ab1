"""Rooms through files: what the data set reads is what was rendered, and rows train on it from start to end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from kdbench.datasets import RoomsFiles
from kdbench.datasets.media.sound import LogMel, Sound, read_sound
from kdbench.datasets.media.video import probe
from kdbench.datasets.persons import PersonStore, cells_of_masks
from kdbench.spec import InvalidDataError
from tests.scripts import PREPARE, script

pytest.importorskip("av", reason="PyAV is not installed")
ROOT = Path(__file__).parents[2]
tool = script("prepare/rooms")
HOME = tool.Home(
    clips=(3, 2), views=2, size=(64, 64), frames=16, fps=8.0, people=2, overlap=0.3, seed=3, gop=8
)
DIALS = ("--clips", "3", "2", "--views", "2", "--seed", "3", "--gop", "8", "--jobs", "1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("home") / "rooms_files"
    assert tool.main(["--out", str(out), *DIALS]) == 0
    return out


@pytest.fixture
def read(folder, tmp_path):
    """The data set at all frames of the files."""

    def opened(split="train", **options):
        everything = dict(num_frames=16, fps=8.0, frame_size=64, sampling="uniform", cache_dir=tmp_path)
        everything |= dict(fields=("visible", "mask"), supervision="frame", on_problem="fail")
        everything |= dict(log_mel=dict(hops=8, mel_bins=32, rate=8000, window_ms=50, hop_ms=28))
        return RoomsFiles(folder, split, **{**everything, **options})

    return opened


def psnr(one, other):
    return 10 * np.log10(255**2 / np.square(one.astype(float) - other.astype(float)).mean())


@pytest.mark.parametrize("split", ["train", "test"])
def test_what_comes_back_is_what_was_rendered(read, split):
    data, rooms = read(split), tool.rooms_of(HOME, split)
    assert len(data) == len(rooms)
    np.testing.assert_array_equal(data.targets, rooms.targets)
    for index in range(len(data)):
        found, rendered = data[index], rooms[index]
        for name in ("target", "frame_target"):
            np.testing.assert_array_equal(found[name], rendered[name], err_msg=name)
        np.testing.assert_array_equal(found["visible"], rendered["visible"])
        cells = np.stack([cells_of_masks(view, found["mask"].shape[2:]) for view in rendered["mask"]])
        np.testing.assert_array_equal(found["mask"], cells)
        assert cells.any()
        seen, shown = found["inputs"]["rgb"], rendered["inputs"]["rgb"]
        assert psnr(seen, shown) > 29  # the cameras' own noise leaves 32, and a video keeps little of it
        assert psnr(seen[::-1], shown) < 20
        assert psnr(seen[..., 1:], shown[..., :-1]) < psnr(seen, shown) - 2


def test_each_view_has_the_sound_of_its_own_microphone(read, folder):
    data, rooms = read(), tool.rooms_of(HOME, "train")
    log_mel = LogMel(hops=8, mel_bins=32, rate=8000, window_ms=50, hop_ms=28)
    for index, record in enumerate(data.records):
        waveforms, found = rooms.waveforms(index), data[index]["inputs"]["audio"]
        for view, video in enumerate(record.sounds):
            heard = read_sound(folder / video)
            length = waveforms.shape[1]
            assert heard.rate == 8000
            assert abs(len(heard.waveform) - length) < 2048
            rendered = log_mel(Sound(heard.waveform.new_tensor(waveforms[view]), 8000), 16)
            assert np.corrcoef(found[view].ravel(), rendered.ravel())[0, 1] > 0.9
            fits = [np.corrcoef(heard.waveform[:length], waveform)[0, 1] for waveform in waveforms]
            assert np.argmax(fits) == view
            assert fits[view] > 0.9


def test_the_data_set_finds_nothing_wrong_and_names_itself(read):
    for split in ("train", "test"):
        data = read(split)
        assert list(data.problems()) == []
        assert data.name == "Rooms in files"
    assert RoomsFiles.promises(data.root) == {"num_train": 3, "num_classes": 8}


def test_a_folder_that_is_not_there_says_how_it_is_made(tmp_path, monkeypatch):
    with pytest.raises(InvalidDataError, match=r"make it: python tools/prepare/rooms\.py --out"):
        RoomsFiles(tmp_path / "nothing")
    monkeypatch.setenv("KDBENCH_DATA_ROOT", str(tmp_path))
    assert RoomsFiles.promises() == {}


def content(folder):
    """Every file but locks; of the store, which numbers its packs, what it says."""
    store = PersonStore(folder / "persons" / "rooms")
    files = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock" and "persons" not in path.parts
    }
    persons = {video: (store.scores(video).tolist(), store.masks(video).tolist()) for video in store.videos}
    return files, persons


def test_a_second_run_keeps_what_is_whole_and_mends_the_rest(folder, capsys):
    before = content(folder)
    assert tool.main(["--out", str(folder), *DIALS]) == 0
    said = capsys.readouterr().out
    assert "3 train and 2 test clips, 10 videos with sound and masks; 0 clips were rendered now" in said
    videos = sorted(folder.glob("*/*.mp4"))
    videos[0].unlink()
    videos[-1].write_bytes(videos[-1].read_bytes()[:2000])
    (videos[1].parent / f".{videos[0].stem}.abc.tmp.mp4").write_bytes(b"left by a killed run")
    assert tool.main(["--out", str(folder), *DIALS]) == 0
    assert "2 clips were rendered now" in capsys.readouterr().out
    assert content(folder) == before


def test_another_home_does_not_mix_with_the_first(folder, capsys):
    before = content(folder)
    assert tool.main(["--out", str(folder), *DIALS, "--overlap", "1"]) == 1
    assert "give another folder, or --force" in capsys.readouterr().err
    assert content(folder) == before


@pytest.mark.parametrize(
    ("dials", "message"),
    [
        (("--fps", "30"), "--fps 30; there is: 4, 5, 8"),
        (("--people", "3"), "people=3; people is from 1 to 2"),
        (("--size", "33", "64"), "--size 33 64; there is: even numbers"),
    ],
)
def test_bad_dials_say_what_is_possible(tmp_path, capsys, dials, message):
    assert tool.main(["--out", str(tmp_path / "out"), *DIALS, *dials]) == 1
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def run(*arguments, **options):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, *map(str, arguments)], env=environment, **options)


def until(condition, process, seconds=120):
    for _ in range(seconds * 20):
        if condition():
            return
        assert process.poll() is None
        time.sleep(0.05)
    pytest.fail("it took too long")


@pytest.mark.slow
def test_a_killed_run_goes_on_and_ends_with_the_same_files(folder, tmp_path):
    out, dials = tmp_path / "rooms_files", (*DIALS[:-1], "2")
    process = run(PREPARE / "rooms.py", "--out", out, *dials, start_new_session=True)
    until(lambda: len(list(out.glob("*/*-Part1.mp4"))) >= 2, process)
    process.send_signal(signal.SIGKILL)  # the parent alone: its workers have to notice
    process.wait()
    assert not (out / "train.json").exists()
    assert all(probe(path).frames == 16 for path in out.glob("*/[0-9]*.mp4"))
    assert run(PREPARE / "rooms.py", "--out", out, *dials).wait() == 0
    assert content(out) == content(folder)
    assert not list(out.rglob("*.tmp*"))


@pytest.mark.slow
def test_teacher_and_student_train_on_files_and_are_tested(tmp_path):
    home = tmp_path / "data" / "rooms_files"
    assert tool.main(["--out", str(home), "--clips", "8", "4", "--jobs", "1"]) == 0
    where = {"KDBENCH_DATA_ROOT": str(home.parent), "KDBENCH_CACHE": str(tmp_path / "cache")}
    small = ("--threads", "1", "--cfg-options", "train_cfg.max_epochs=1", "train_dataloader.batch_size=4")

    def done(name, *arguments):
        environment = {**os.environ, **where, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, str(ROOT / "tools" / f"{name}.py"), *map(str, arguments)]
        ended = subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    teacher, student = (tmp_path / name for name in ("teacher", "student"))
    row = ROOT / "configs" / "vicokd" / "rooms_files_asl_av_asl_vh.py"
    done(
        "train", ROOT / "configs" / "baseline" / "rooms_files_frame_asl_av.py", "--work-dir", teacher, *small
    )
    weights = f"model.teacher.weights={teacher / 'student.safetensors'}"
    done("train", row, "--work-dir", student, *small, weights)
    result = yaml.safe_load((student / "result.yml").read_text())
    assert (result["status"], result["data"]["num_train"], result["data"]["num_test"]) == ("ok", 8, 4)
    assert 0 < result["metrics"]["mAP_C"] <= 100
    said = done(
        "test", row, student / "student.safetensors", "--work-dir", tmp_path / "test", *small, weights
    )
    assert f"{result['metrics']['mAP_C']:.2f}" in said
