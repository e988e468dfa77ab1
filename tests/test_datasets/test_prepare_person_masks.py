import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from kdbench.datasets.persons import PersonStore
from tests.scripts import PREPARE, script

pytest.importorskip("av", reason="videos are written with PyAV")
ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("KDBENCH_DATA_ROOT", "/nowhere"))


tool = script("prepare/person_masks")


def pictures(frames, start=0):
    """A bright square that moves a cell of 10 pixels each frame; there is nobody in the last frame."""
    made = np.zeros((frames, 120, 160, 3), dtype=np.uint8)
    for number in range(frames - 1):
        left = 10 * ((start + number) % 12)
        made[number, 40:80, left : left + 40] = 220
    return made


def write(path, frames, start=0, fps=10):
    from kdbench.datasets.media.encode import write_video

    path.parent.mkdir(parents=True, exist_ok=True)
    write_video(path, pictures(frames, start), fps)


def cells(frames, start=0):
    return pictures(frames, start)[:, 5::10, 5::10, 0] > 0


def run(root, *options):
    return tool.main(["--detector", "depth", "--threshold", "0.4", "--root", str(root), *options])


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "home"
    write(root / "s1" / "a-View1.mp4", 9)
    write(root / "s1" / "a-View2.mp4", 14, start=3, fps=25)
    return root


def test_people_are_found_where_they_are(tree, capsys):
    assert run(tree) == 0
    said = capsys.readouterr().out
    assert "2 videos, 0 of them done before" in said
    assert "people in 91.3% of 23 frames of 2 videos" in said
    store = PersonStore(tree / "persons" / "depth")
    assert store.videos == ("s1/a-View1.mp4", "s1/a-View2.mp4")
    for video, frames, start, fps in (("s1/a-View1.mp4", 9, 0, 10), ("s1/a-View2.mp4", 14, 3, 25)):
        assert store.fps(video) == fps
        assert np.array_equal(store.masks(video), cells(frames, start))
        assert store.scores(video).tolist() == [1.0] * (frames - 1) + [0.0]
    assert store.boxes("s1/a-View1.mp4", frames=[1])[0] == pytest.approx(
        np.array([[50 / 160 - 40 / 160, 40 / 120, 50 / 160, 80 / 120, 1]]), abs=0.02
    )
    assert not (store.folder / "shards").exists()


@pytest.mark.parametrize(
    ("stride", "taken"), [(3, [0, 0, 3, 3, 3, 6, 6, 6, 6]), (5, [0, 0, 0, 5, 5, 5, 5, 5, 5])]
)
def test_between_two_strides_the_nearest_frame_counts(tree, stride, taken):
    assert run(tree, "--stride", str(stride)) == 0
    store = PersonStore(tree / "persons" / "depth")
    assert np.array_equal(store.masks("s1/a-View1.mp4"), cells(9)[taken])
    assert [len(boxes) for boxes in store.boxes("s1/a-View1.mp4")] == [1] * 9


def test_blocks_do_not_show(tree, monkeypatch):
    monkeypatch.setattr(tool, "BLOCK_FRAMES", 4)
    assert run(tree, "--grid", "12", "16") == 0
    store = PersonStore(tree / "persons" / "depth")
    assert np.array_equal(store.masks("s1/a-View1.mp4"), cells(9))
    assert np.array_equal(store.masks("s1/a-View2.mp4"), cells(14, start=3))


def test_a_second_run_does_only_what_is_new(tree, capsys, monkeypatch):
    run(tree)
    first = PersonStore(tree / "persons" / "depth").persons("s1/a-View1.mp4")
    write(tree / "s2" / "b-View1.mp4", 5)
    seen = []
    find = tool.Worker.find
    monkeypatch.setattr(
        tool.Worker, "find", lambda self, block: seen.append(block.source.key) or find(self, block)
    )
    capsys.readouterr()
    assert run(tree) == 0
    assert "3 videos, 2 of them done before" in capsys.readouterr().out
    assert seen == ["s2/b-View1.mp4"]
    store = PersonStore(tree / "persons" / "depth")
    assert len(store.videos) == 3
    assert np.array_equal(store.persons("s1/a-View1.mp4").masks, first.masks)
    assert run(tree, "--force") == 0
    assert len(seen) == 4


def test_other_settings_are_refused(tree, capsys):
    run(tree)
    for option in (["--stride", "2"], ["--share", "0.3"], ["--grid", "6", "8"], ["--threshold", "0.3"]):
        assert run(tree, *option) == 1
        assert "give the store another name, or make all of it anew (--force)" in capsys.readouterr().err
    assert run(tree, "--grid", "6", "8", "--name", "coarse") == 0
    assert PersonStore(tree / "persons" / "coarse").grid == (6, 8)


def test_a_damaged_video_is_named_and_the_others_are_done(tree, capsys):
    path = tree / "s1" / "a-View1.mp4"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 3])
    assert run(tree) == 1
    assert "a-View1.mp4 is truncated or damaged" in capsys.readouterr().err
    store = PersonStore(tree / "persons" / "depth")
    assert store.videos == ("s1/a-View2.mp4",)
    path.write_bytes(content)
    assert run(tree) == 0
    assert len(PersonStore(store.folder).videos) == 2


def test_a_video_that_fails_halfway_leaves_no_record(tree, capsys, monkeypatch):
    from kdbench.spec import InvalidDataError

    read = tool.read

    def fails(block):
        if block.source.key == "s1/a-View2.mp4" and block.numbers[0] == 4:
            raise InvalidDataError("a-View2.mp4 is broken in the middle")
        return read(block)

    monkeypatch.setattr(tool, "BLOCK_FRAMES", 4)
    monkeypatch.setattr(tool, "read", fails)
    assert run(tree) == 1
    assert capsys.readouterr().err.count("broken in the middle") == 1
    assert PersonStore(tree / "persons" / "depth").videos == ("s1/a-View1.mp4",)


def test_wrong_questions_are_refused(tree, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert run(tmp_path / "empty") == 1
    assert "holds no .mp4" in capsys.readouterr().err
    assert tool.main(["--detector", "onnx", "--root", str(tree)]) == 1
    assert "needs --model FILE" in capsys.readouterr().err
    for option in (["--stride", "0"], ["--jobs", "0"], ["--share", "0"], ["--grid", "0", "3"]):
        with pytest.raises(SystemExit):
            run(tree, *option)
    assert not (tree / "persons").exists()


def test_the_error_of_the_reader_names_the_command(tree):
    run(tree, "--out", str(tree.parent / "elsewhere"))
    assert not (tree / "persons").exists()
    store = PersonStore(tree.parent / "elsewhere")
    with pytest.raises(Exception, match=rf"person_masks.py --detector depth .*--root {tree}"):
        store.scores("s3/c.mp4")


@pytest.mark.slow
def test_pictures_show_each_video(tree, tmp_path):
    from matplotlib.image import imread

    assert run(tree, "--picture", str(tmp_path / "sheets")) == 0
    sheets = sorted((tmp_path / "sheets").iterdir())
    assert [path.name for path in sheets] == ["s1_a-View1.mp4.png", "s1_a-View2.mp4.png"]
    picture = imread(sheets[0])[..., :3]
    is_yellow = (picture[..., 0] > 0.8) & (picture[..., 1] > 0.8) & (picture[..., 2] < 0.3)
    is_tinted = (picture[..., 0] > 0.8) & (picture[..., 1] < 0.75) & (picture[..., 2] > 0.6)
    assert is_yellow.sum() > 500
    assert is_tinted.sum() > 5000


def test_clips_of_depth_arrays_have_names(tmp_path):
    depth = pictures(9)[..., 0]
    arrays = {"depth": depth, "length": np.array([4, 5]), "name": np.array(["a1_s1_t1", "a2_s1_t1"])}
    np.savez(tmp_path / "depth_s1.npz", **arrays)
    np.savez(tmp_path / "other.npz", x=1)
    assert run(tmp_path) == 0
    store = PersonStore(tmp_path / "persons" / "depth")
    assert store.videos == ("depth_s1.npz/a1_s1_t1", "depth_s1.npz/a2_s1_t1")
    assert np.array_equal(store.masks("depth_s1.npz/a2_s1_t1"), cells(9)[4:])
    assert store.fps("depth_s1.npz/a1_s1_t1") == 30
    (tmp_path / "depth_s2.npz").write_bytes(b"damaged")
    assert run(tmp_path) == 1


def command(root, *options):
    return [
        sys.executable,
        "-W",
        "ignore",
        PREPARE / "person_masks.py",
        "--detector",
        "depth",
        "--threshold",
        "0.4",
        "--root",
        root,
        *options,
    ]


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_killed_run_goes_on_where_it_was(tmp_path, jobs):
    root = tmp_path / "home"
    for number in range(24):
        write(root / f"s{number % 3}" / f"{number}.mp4", 40, start=number)
    shards, done = root / "persons" / "depth" / "shards", 0
    for wanted in (3, 11):
        process = subprocess.Popen(
            command(root, "--jobs", jobs), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while process.poll() is None and len(list(shards.rglob("[0-9]*.npz"))) < wanted:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        before, done = done, len(list(shards.rglob("[0-9]*.npz")))
        assert before < done < 24
    again = subprocess.run(command(root, "--jobs", jobs), capture_output=True, text=True, check=True)
    assert f"24 videos, {done} of them done before" in again.stdout
    store = PersonStore(root / "persons" / "depth")
    assert len(store.videos) == 24
    for video in store.videos:
        assert np.array_equal(store.masks(video), cells(40, start=int(Path(video).stem)))
    assert (
        sorted(path.suffix for path in store.folder.iterdir() if path.name != ".lock")
        == [".json"] + [".npy"] * 4
    )


@pytest.mark.slow
@pytest.mark.skipif(not (DATA / "models").is_dir(), reason="no models below KDBENCH_DATA_ROOT")
def test_a_real_network_finds_the_person_in_all_views(tmp_path):
    options = [
        "--model",
        str(DATA / "models" / "yolox_nano_416.onnx"),
        "--root",
        str(DATA / "videos" / "multiview_single"),
    ]
    assert (
        tool.main(["--detector", "onnx", *options, "--out", str(tmp_path / "store"), "--stride", "20"]) == 0
    )
    store = PersonStore(tmp_path / "store")
    assert len(store.videos) == 4
    assert np.mean([(store.scores(video) > 0.3).mean() for video in store.videos]) > 0.9
