"""Frames by number: the right ones, once each, the same from every package that loads."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kdbench.datasets.media import backends, probe, read_frames, resized
from kdbench.datasets.media.video import VideoInfo
from kdbench.spec import InvalidDataError, MissingPackageError

from .made_videos import av, damage, make, number, pictures

REAL = Path(os.environ.get("KDBENCH_DATA_ROOT", "/nowhere"), "videos")
VIDEOS = [
    REAL / name for name in ("mmaction2_av_test.avi", "mmaction2_demo.mp4", "multiview_multi/cam01.mp4")
]
there = pytest.mark.parametrize("backend", backends())


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return make(tmp_path_factory.mktemp("video") / "a.mp4", count=100, fps=30.0, gop=12)


@pytest.fixture(scope="module")
def reordered(tmp_path_factory):
    """A file with frames that are stored in another order than they are shown (B-frames, open groups)."""
    path = tmp_path_factory.mktemp("video") / "b.mp4"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.options = {"bf": "3", "g": "20", "x264-params": "open-gop=1"}
        for picture in pictures(90):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode())
    return path


@there
def test_probe_counts_frames(video, backend):
    assert probe(video, backend) == VideoInfo(fps=30.0, frames=100, height=48, width=64)


@there
def test_every_frame_comes_once(video, reordered, backend):
    for path, count in ((video, 100), (reordered, 90)):
        frames = read_frames(path, range(count), backend=backend)
        assert [number(frame) for frame in frames] == list(range(count))


@there
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wanted=st.lists(st.integers(0, 89), min_size=1, max_size=8))
def test_any_frames_in_any_order(reordered, backend, wanted):
    assert [number(frame) for frame in read_frames(reordered, wanted, backend=backend)] == wanted


@there
def test_backends_agree_on_real_videos(backend):
    if not REAL.is_dir():
        pytest.skip("there are no videos under $KDBENCH_DATA_ROOT")
    for path in VIDEOS:
        info = probe(path)
        assert probe(path, backends(path)[0]) == info
        wanted = [info.frames - 1, 0, info.frames // 2, 1]
        if backend in backends(path):
            assert torch.equal(read_frames(path, wanted, backend=backend), read_frames(path, wanted))


def test_an_avi_is_not_left_to_torchcodec():
    assert "torchcodec" not in backends("a.avi")
    assert set(backends()) - {"torchcodec"} == set(backends("a.avi"))


@there
@pytest.mark.parametrize("share", [0.0, 0.1, 0.6, 0.95])
def test_a_truncated_file_gives_one_clear_error(tmp_path, backend, share):
    path = damage(make(tmp_path / "a.mp4"), share)
    with pytest.raises(InvalidDataError, match=r"a\.mp4 is truncated or damaged .*again"):
        probe(path, backend)
    with pytest.raises(InvalidDataError, match=r"a\.mp4 is truncated or damaged"):
        read_frames(path, [59], backend=backend)


@there
def test_a_file_that_is_made_anew_is_counted_anew(tmp_path, backend):
    path = make(tmp_path / "a.mp4", count=20)
    assert probe(path, backend).frames == 20
    make(path, count=25)
    assert probe(path, backend).frames == 25


def test_missing_files_frames_and_backends(tmp_path, video):
    with pytest.raises(InvalidDataError, match=r"no\.mp4 is missing"):
        probe(tmp_path / "no.mp4")
    for wanted in ([-1], [100], []):
        with pytest.raises(ValueError, match="there is: 0 to 99"):
            read_frames(video, wanted)
    with pytest.raises(ValueError, match="backend 'pyaw' is unknown; did you mean: pyav"):
        probe(video, "pyaw")


def test_without_any_package_the_error_says_what_to_install(monkeypatch, video):
    monkeypatch.setattr("kdbench.datasets.media.video._loads", lambda *_: False)
    with pytest.raises(MissingPackageError, match=r"torchcodec, pyav, opencv.*pip install av"):
        probe(video)


def test_frames_are_resized_like_pillow_does(video):
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    frame = read_frames(video, [37])
    small = resized(frame, (20, 30))
    pillow = image.fromarray(frame[0].permute(1, 2, 0).numpy()).resize((30, 20), image.Resampling.BILINEAR)
    assert small.dtype == torch.uint8
    assert np.abs(small[0].permute(1, 2, 0).numpy().astype(int) - np.asarray(pillow)).max() <= 1
    assert torch.equal(read_frames(video, [37], size=(20, 30)), small)
    assert resized(frame, (48, 64)) is frame


@given(fps=st.sampled_from([10.0, 20.04, 24000 / 1001, 25.0, 29.97002997, 30.0]), frame=st.integers(0, 999))
def test_the_frame_at_its_own_time_is_that_frame(fps, frame):
    info = VideoInfo(fps, 1000, 1, 1)
    assert info.at([frame / fps, (frame + 0.5) / fps]).tolist() == [frame, frame]
