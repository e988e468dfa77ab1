"""Depth of UTD-MHAD as pictures with annotation files: what is read is what was recorded, and no clip is half."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from kdbench.compat import load_opencv
from kdbench.datasets.utd_mhad import SUBJECTS, all_clips
from kdbench.spec import MissingPackageError
from tests.scripts import script

try:
    cv2 = load_opencv()
except MissingPackageError as error:
    pytest.skip(str(error), allow_module_level=True)
CLIPS, FRAMES = all_clips(), 2


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    for subject in SUBJECTS:
        names = CLIPS.name[CLIPS.subject == subject]
        depth = np.random.default_rng(subject).integers(0, 256, (FRAMES * len(names), 6, 8), dtype=np.uint8)
        np.savez(
            folder / f"depth_s{subject}.npz", depth=depth, length=np.full(len(names), FRAMES), name=names
        )
    return folder


@pytest.fixture(scope="module")
def written(root, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    assert script("prepare/utd_mhad_frames").main([str(out), "--root", str(root)]) == 0
    return out


def test_pictures_are_the_recorded_frames(root, written):
    with np.load(root / "depth_s3.npz") as archive:
        depth, names = archive["depth"], archive["name"].tolist()
    for row in (0, len(names) - 1):
        for frame in range(FRAMES):
            path = written / "frames" / names[row] / f"img_{frame + 1:05}.png"
            assert np.array_equal(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), depth[FRAMES * row + frame])


def test_lists_are_the_cross_subject_split(written):
    lines = {
        split: [line.split() for line in (written / f"{split}.txt").read_text("utf-8").splitlines()]
        for split in ("train", "test")
    }
    assert {split: len(rows) for split, rows in lines.items()} == {"train": 431, "test": 430}
    label = dict(zip(CLIPS.name.tolist(), CLIPS.label.tolist(), strict=True))
    for split, subjects in (("train", "1357"), ("test", "2468")):
        for name, frames, clip_label in lines[split]:
            assert name.split("_")[1][1] in subjects
            assert int(frames) == len(list((written / "frames" / name).iterdir()))
            assert int(clip_label) == label[name]


def test_a_stopped_run_goes_on_and_leaves_no_half_clip(root, tmp_path, monkeypatch):
    tool, calls = script("prepare/utd_mhad_frames"), []
    real = tool.write_picture

    def stopping(path, picture):
        calls.append(path)
        if len(calls) == 2 * FRAMES:  # in the middle of the second clip
            raise KeyboardInterrupt
        return real(path, picture)

    monkeypatch.setattr(tool, "write_picture", stopping)
    with pytest.raises(KeyboardInterrupt):
        tool.write_subject(root, tmp_path, 1)
    assert [len(list(folder.iterdir())) for folder in (tmp_path / "frames").iterdir()] == [FRAMES]
    monkeypatch.setattr(tool, "write_picture", real)
    assert len(tool.write_subject(root, tmp_path, 1)) == (CLIPS.subject == 1).sum()
    assert {len(list(folder.iterdir())) for folder in (tmp_path / "frames").iterdir()} == {FRAMES}


def test_a_full_disk_is_an_error_and_leaves_no_clip(root, tmp_path, monkeypatch, capsys):
    tool, calls, write = script("prepare/utd_mhad_frames"), [], Path.write_bytes

    def full(path, content):
        calls.append(path)
        if len(calls) == 2 * FRAMES:  # the last picture of the second clip
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    assert tool.main([str(tmp_path), "--root", str(root)]) == 1
    assert f"No space left on device: '{calls[-1]}'" in capsys.readouterr().err
    assert [len(list(folder.iterdir())) for folder in (tmp_path / "frames").iterdir()] == [FRAMES]
    assert not (tmp_path / "train.txt").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("size", [(6, 8), (120, 160), (480, 640)])
def test_a_picture_without_room_is_an_error_whatever_its_size(tmp_path, size):
    path = tmp_path / "img_00001.png"
    path.symlink_to("/dev/full")
    picture = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
    with pytest.raises(OSError, match=r"No space left on device: .*img_00001\.png"):
        script("prepare/utd_mhad_frames").write_picture(path, picture)


def test_a_missing_file_is_named(tmp_path, capsys):
    assert script("prepare/utd_mhad_frames").main([str(tmp_path / "out"), "--root", str(tmp_path)]) == 1
    assert "depth_s1.npz is missing; make it again with tools/prepare/utd_mhad.py" in capsys.readouterr().err
