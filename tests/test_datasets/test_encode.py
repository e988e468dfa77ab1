"""Writing videos: what is read back, group lengths, sizes, sound that stays in time, and no half files."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdbench.datasets.media import encode
from kdbench.datasets.media.encode import shrunk, transcode, write_video
from kdbench.datasets.media.sound import read_sound
from kdbench.datasets.media.video import probe, read_frames
from kdbench.spec import InvalidDataError

av = pytest.importorskip("av", reason="PyAV is not installed")
RATE = 16000


def pictures(frames=30, height=64, width=80):
    """Smooth moving patterns (T, H, W, 3); the brightness of the red corner counts the frames."""
    rows, columns = np.mgrid[:height, :width]
    time = np.arange(frames)[:, None, None]
    planes = [
        127 + 100 * np.sin((columns + time) / 9),
        127 + 100 * np.cos((rows - time) / 7),
        rows + columns + 0 * time,
    ]
    made = np.stack(np.broadcast_arrays(*planes), axis=-1).astype(np.uint8)
    made[:, :16, :16] = (8 * np.arange(frames)[:, None, None, None]).clip(0, 255)
    return made


def clicks(seconds, *at):
    """Silence with a click of 40 samples at each of these times."""
    sound = np.zeros(round(seconds * RATE), dtype=np.float32)
    for time in at:
        sound[round(time * RATE) :][:40] = 0.9
    return sound


def psnr(one, other):
    return 10 * np.log10(255**2 / np.square(one.astype(float) - other.astype(float)).mean())


def read(path):
    frames = read_frames(path, range(probe(path).frames))
    return frames.permute(0, 2, 3, 1).numpy()


def key_frames(path):
    with av.open(str(path)) as file:
        return [
            number for number, packet in enumerate(file.demux(video=0)) if packet.size and packet.is_keyframe
        ]


def times(path):
    with av.open(str(path)) as file:
        return [frame.time for frame in file.decode(video=0)]


def heard_at(path):
    sound = read_sound(path)
    loud = np.flatnonzero(np.abs(sound.waveform.numpy()) > 0.4) / sound.rate
    return loud[np.diff(loud, prepend=-1) > 0.1]


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "a.mp4"
    write_video(path, pictures(), 10.0, clicks(3.0, 0.5, 2.0), RATE, gop=16)
    return path


@pytest.fixture
def without_h264(monkeypatch):
    monkeypatch.setattr(av, "codecs_available", av.codecs_available - {"libx264"})


def test_what_is_written_is_read(video):
    info = probe(video)
    assert (info.frames, info.fps, info.height, info.width) == (30, 10.0, 64, 80)
    assert psnr(read(video), pictures()) > 34
    assert times(video) == pytest.approx(np.arange(30) / 10)
    assert key_frames(video) == [0, 16]
    np.testing.assert_allclose(heard_at(video), [0.5, 2.0], atol=0.002)


@pytest.mark.usefixtures("without_h264")
def test_without_an_h264_encoder_it_is_mpeg4(tmp_path):
    write_video(tmp_path / "a.mp4", pictures(), 10.0, clicks(3.0, 0.5), RATE, gop=8)
    with av.open(str(tmp_path / "a.mp4")) as file:
        assert file.streams.video[0].codec_context.name == "mpeg4"
    assert psnr(read(tmp_path / "a.mp4"), pictures()) > 34
    assert key_frames(tmp_path / "a.mp4") == [0, 8, 16, 24]


def test_the_same_pictures_give_the_same_bytes(tmp_path):
    for name in ("a", "b", "c"):
        write_video(tmp_path / f"{name}.mp4", iter(pictures()), 10.0, clicks(3.0, 1.0), RATE)
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1


@settings(max_examples=12, deadline=None)
@given(
    frames=st.integers(1, 9),
    height=st.integers(8, 20).map(lambda n: 2 * n),
    width=st.integers(8, 20).map(lambda n: 2 * n),
    fps=st.sampled_from([2.5, 8.0, 12.5, 20.04, 25.0, 30000 / 1001, 60.0]),
    gop=st.integers(1, 5),
)
def test_any_size_and_rate_comes_back(tmp_path_factory, frames, height, width, fps, gop):
    path = tmp_path_factory.mktemp("videos") / "a.mp4"
    write_video(path, pictures(frames, height, width), fps, gop=gop)
    info = probe(path)
    assert (info.frames, info.height, info.width) == (frames, height, width)
    assert info.fps == pytest.approx(fps, rel=1e-4)
    assert key_frames(path) == list(range(0, frames, gop))
    assert read_sound(path) is None


def test_transcoding_shrinks_and_keeps_times_and_sound(video, tmp_path):
    transcode(video, tmp_path / "b.mp4", short_side=32, gop=8)
    assert probe(tmp_path / "b.mp4")[:] == (10.0, 30, 32, 40)
    assert key_frames(tmp_path / "b.mp4") == [0, 8, 16, 24]
    assert times(tmp_path / "b.mp4") == times(video)
    np.testing.assert_array_equal(read_sound(tmp_path / "b.mp4").waveform, read_sound(video).waveform)
    halved = read(video).reshape(30, 32, 2, 40, 2, 3).mean(axis=(2, 4))
    assert psnr(read(tmp_path / "b.mp4"), halved) > 30


def test_nothing_is_enlarged(video, tmp_path):
    transcode(video, tmp_path / "b.mp4", short_side=256, quality=10)
    assert probe(tmp_path / "b.mp4")[:] == (10.0, 30, 64, 80)
    assert psnr(read(tmp_path / "b.mp4"), read(video)) > 36


@settings(max_examples=50)
@given(st.integers(16, 4000), st.integers(16, 4000), st.integers(16, 512))
def test_shrunk_sizes_are_even_and_keep_the_shape(height, width, short_side):
    new = shrunk((height, width), short_side)
    assert new[0] % 2 == new[1] % 2 == 0
    assert min(new) <= max(short_side, 2) + 1
    ratio = min(1.0, short_side / min(height, width))
    assert max(abs(new[0] - height * ratio), abs(new[1] - width * ratio)) <= 1.0


def delayed(path, source, shift, **options):
    """The pictures of ``source``, later by that many frames."""
    with av.open(str(source)) as reader, av.open(str(path), "w", options=options) as file:
        stream = reader.streams.video[0]
        track = file.add_stream_from_template(stream)
        ticks = int(Fraction(shift) / stream.average_rate / stream.time_base)
        for packet in reader.demux(stream):
            if packet.dts is not None:
                packet.stream, packet.pts, packet.dts = track, packet.pts + ticks, packet.dts + ticks
                file.mux(packet)


def test_a_late_start_stays_late(video, tmp_path):
    delayed(tmp_path / "late.mp4", video, shift=5)
    transcode(tmp_path / "late.mp4", tmp_path / "b.mp4", short_side=32)
    assert times(tmp_path / "b.mp4") == pytest.approx(np.arange(5, 35) / 10)


@pytest.mark.usefixtures("without_h264")
def test_ticks_too_fine_for_mpeg4_keep_the_times(video, tmp_path):
    delayed(tmp_path / "fine.mp4", video, shift=1, video_track_timescale="90000")
    with av.open(str(tmp_path / "fine.mp4")) as file:
        assert file.streams.video[0].time_base == Fraction(1, 90000)
    transcode(tmp_path / "fine.mp4", tmp_path / "b.mp4", short_side=32)
    assert times(tmp_path / "b.mp4") == pytest.approx(np.arange(1, 31) / 10)


def test_sound_that_is_not_aac_becomes_aac_in_time(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as file:
        video = file.add_stream("mpeg4", rate=10)
        video.width, video.height, video.pix_fmt = 80, 64, "yuv420p"
        track = file.add_stream("pcm_s16le", rate=RATE, layout="stereo")
        for picture in pictures():
            file.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(video.encode())
        samples = (clicks(3.0, 0.5, 2.0) * 30000).astype(np.int16).repeat(2)[None]
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="stereo")
        frame.sample_rate, frame.pts = RATE, 0
        file.mux([*track.encode(frame), *track.encode()])
    transcode(path, tmp_path / "b.mp4", short_side=32)
    with av.open(str(tmp_path / "b.mp4")) as file:
        assert file.streams.audio[0].codec_context.name == "aac"
    np.testing.assert_allclose(heard_at(tmp_path / "b.mp4"), [0.5, 2.0], atol=0.002)


def test_a_damaged_source_is_named_and_leaves_nothing(video, tmp_path):
    broken = tmp_path / "source" / "half.mp4"
    broken.parent.mkdir()
    content = video.read_bytes()
    for damage in (content[: len(content) // 2], content[: len(content) - 300], b"not a video" * 50, b""):
        broken.write_bytes(damage)
        with pytest.raises(InvalidDataError, match=r"half\.mp4"):
            transcode(broken, tmp_path / "out" / "b.mp4")
    with pytest.raises(InvalidDataError, match=r"gone\.mp4 is missing"):
        transcode(tmp_path / "gone.mp4", tmp_path / "out" / "b.mp4")
    assert not list(tmp_path.glob("out/*"))


def test_a_writer_that_fails_leaves_what_there_was(video):
    def failing():
        yield from pictures(5)
        raise KeyboardInterrupt

    content = video.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        write_video(video, failing(), 10.0)
    assert [path.name for path in video.parent.iterdir()] == ["a.mp4"]
    assert video.read_bytes() == content


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            dict(pictures=pictures(2, 33, 40)),
            r"\(33, 40, 3\); there is: \(H, W, 3\) with even height and width",
        ),
        (dict(pictures=[]), "no picture was given"),
        (dict(pictures=pictures(2), sound=clicks(1.0), rate=7980), "rate=7980; there is: 7350, 8000"),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path, asked, message):
    with pytest.raises(ValueError, match=message):
        write_video(tmp_path / "a.mp4", fps=10.0, **asked)
    assert not list(tmp_path.iterdir())


REAL = Path(__file__).parents[3] / "shared" / "data" / "videos"


@pytest.mark.skipif(not REAL.is_dir(), reason="there is no ../shared/data/videos")
def test_a_real_avi_with_mp3_keeps_frames_and_length_of_sound(tmp_path):
    source = REAL / "mmaction2_av_test.avi"
    transcode(source, tmp_path / "b.mp4", short_side=128)
    assert probe(tmp_path / "b.mp4").frames == probe(source).frames == 164
    before, after = read_sound(source), read_sound(tmp_path / "b.mp4")
    assert abs(len(before.waveform) - len(after.waveform)) <= 2048
    shared = min(len(before.waveform), len(after.waveform))
    assert np.corrcoef(before.waveform[:shared], after.waveform[:shared])[0, 1] > 0.95


def test_rates_are_those_that_the_encoder_takes():
    assert set(encode._RATES) == set(av.codec.Codec("aac", "w").audio_rates)
