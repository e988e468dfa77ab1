"""Writing videos: mp4 with H.264 (MPEG-4 part 2 where there is no H.264 encoder) and AAC, there whole or not at all.

A group of pictures has a fixed length, so a reader that wants one frame decodes at most ``gop`` of them. Files hold no
date and are encoded by one thread, so the same pictures give the same bytes.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from ...atomic import atomic_path
from ...compat import load_av
from ...spec import InvalidDataError
from .video import REMEDY, probe

GOP = 16
SHORT_SIDE = 256
_FINEST_MPEG4 = 60000  # ticks a second; it knows up to 65,535, and this many hold all common rates
# One length for every group, no frame that waits for a later one; x264's macroblock tree gave other bytes at every run.
_X264 = {"preset": "medium", "sc_threshold": "0", "bf": "0", "x264-params": "mbtree=0"}
_RATES = (7350, 8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)  # of AAC


def write_video(
    path: Path,
    pictures: Iterable[np.ndarray],
    fps: float,
    sound: np.ndarray | None = None,
    rate: int = 16000,
    gop: int = GOP,
    quality: int = 18,
) -> None:
    """Write an mp4, atomically.

    ``pictures`` (T, H, W, 3) uint8 RGB, or anything that yields such frames one by one; height and width are even, as
    the colours are stored at half the size. ``sound`` (samples,) is mono in [-1, 1] at ``rate`` Hz, one of AAC's.
    ``quality`` is x264's constant rate factor, 0 (best) to 51.
    """
    av, frames = load_av(), iter(pictures)
    first = next(frames, None)
    if first is None:
        raise ValueError(f"{path}: no picture was given; there is: nothing to write; give at least one")
    size = _even(path, first.shape)
    with _writer(path) as file:
        video = _add_video(file, size, Fraction(fps).limit_denominator(90000), gop, quality)
        track = None if sound is None else _add_sound(file, rate)
        for picture in chain([first], frames):
            file.mux(video.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        file.mux(video.encode())
        if track is not None:
            file.mux([*track.encode(_as_audio(sound, rate)), *track.encode()])


def transcode(
    source: Path, path: Path, short_side: int = SHORT_SIDE, gop: int = GOP, quality: int = 23
) -> None:
    """Write ``source`` anew with the shorter side at most ``short_side`` pixels, atomically; nothing is enlarged.

    Every frame keeps its time, and AAC sound is copied as it is. A source that is damaged, or ends before its header
    says, raises ``InvalidDataError`` and leaves nothing.
    """
    promised = probe(source, backend="pyav").frames
    with load_av().open(str(source)) as reader, _writer(path) as file:
        streams = [reader.streams.video[0], *reader.streams.audio[:1]]
        pictures = _Pictures(file, streams[0], short_side, gop, quality)
        tracks = [pictures, *(_Sound(file, stream) for stream in streams[1:])]
        for packet in _packets(source, reader, streams):
            tracks[streams.index(packet.stream)].put(packet)
        for track in tracks:
            track.end()
        if pictures.count < promised:
            raise _broken(source, f"only {pictures.count} of {promised} frames can be decoded")


def shrunk(size: tuple[int, int], short_side: int) -> tuple[int, int]:
    """(height, width) with the shorter side at most ``short_side``, both even, the shape kept.

    >>> shrunk((1440, 1920), 256), shrunk((240, 320), 256), shrunk((1920, 1080), 255)
    ((256, 342), (240, 320), (454, 256))
    """
    ratio = min(1.0, short_side / min(size))
    height, width = (max(2, 2 * round(side * ratio / 2)) for side in size)
    return height, width


def _broken(path: Path, why: object) -> InvalidDataError:
    return InvalidDataError(f"{path} is truncated or damaged ({why}); {REMEDY}")


def _even(path: Path, shape: tuple[int, ...]) -> tuple[int, int]:
    if len(shape) != 3 or shape[2] != 3 or shape[0] % 2 or shape[1] % 2:
        raise ValueError(
            f"{path}: pictures of the shape {shape}; there is: (H, W, 3) with even height and width"
        )
    return shape[0], shape[1]


@contextmanager
def _writer(path: Path) -> Iterator[Any]:
    """An mp4 whose index comes first and that names no date or program, moved to ``path`` when it is whole."""
    with atomic_path(path) as temporary:
        options = {"movflags": "+faststart", "fflags": "+bitexact"}
        with load_av().open(str(temporary), "w", format="mp4", options=options) as file:
            yield file


def _add_video(file: Any, size: tuple[int, int], rate: Fraction, gop: int, quality: int) -> Any:
    if "libx264" in load_av().codecs_available:
        options = {**_X264, "crf": str(quality), "keyint_min": str(gop)}
        stream = file.add_stream("libx264", rate=rate, options=options)
    else:  # quantisers run from 1 to 31 there
        scale = {"flags": "+qscale", "global_quality": str(118 * max(1, quality // 5))}
        stream = file.add_stream("mpeg4", rate=rate, options=scale)
    stream.height, stream.width = size
    stream.pix_fmt, stream.codec_context.gop_size, stream.codec_context.thread_count = "yuv420p", gop, 1
    return stream


def _add_sound(file: Any, rate: int) -> Any:
    if rate not in _RATES:
        raise ValueError(f"rate={rate}; there is: {', '.join(map(str, _RATES))} Hz")
    track = file.add_stream("aac", rate=rate, layout="mono")
    track.codec_context.bit_rate = 96000
    return track


def _as_audio(sound: np.ndarray, rate: int) -> Any:
    samples = np.clip(sound, -1.0, 1.0).astype(np.float32)[None]
    frame = load_av().AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
    return frame


@contextmanager
def _reader(source: Path) -> Iterator[Any]:
    av = load_av()
    try:
        reader = av.open(str(source))
    except (av.FFmpegError, OSError) as error:
        raise _broken(source, error) from error
    with reader:
        if not reader.streams.video:
            raise InvalidDataError(
                f"{source} holds no pictures; there is: {len(reader.streams)} streams of other kinds"
            )
        yield reader


def _packets(source: Path, reader: Any, streams: list[Any]) -> Iterator[Any]:
    try:
        yield from reader.demux(streams)
    except load_av().FFmpegError as error:
        raise _broken(source, error) from error


def _decoded(source: Path, packet: Any) -> list[Any]:
    try:
        return packet.decode()
    except load_av().FFmpegError as error:
        raise _broken(source, error) from error


class _Pictures:
    """The pictures of a source on their way into a file."""

    def __init__(self, file: Any, stream: Any, short_side: int, gop: int, quality: int):
        self.file, self.stream, self.count = file, stream, 0
        self.source, self.rate = Path(stream.container.name), stream.average_rate or Fraction(25)
        self.seconds = -1 / float(self.rate)
        self.size = shrunk((stream.height, stream.width), short_side)
        self.track = _add_video(file, self.size, self.rate, gop, quality)
        self.ticks = stream.time_base
        if self.track.codec_context.name == "mpeg4" and self.ticks.denominator > _FINEST_MPEG4:
            self.ticks = Fraction(1, _FINEST_MPEG4)
        self.track.codec_context.time_base = self.ticks

    def put(self, packet: Any) -> None:
        for frame in _decoded(self.source, packet):
            self.seconds, self.count = self._time(frame), self.count + 1
            frame.pts, frame.time_base = round(self.seconds / self.ticks), self.ticks
            height, width = self.size
            small = frame.reformat(width=width, height=height, format="yuv420p", interpolation="AREA")
            small.pict_type = 0  # the encoder chooses; the source's key frames would come on top of it
            self.file.mux(self.track.encode(small))

    def _time(self, frame: Any) -> float:
        """When a frame is shown, in seconds. An AVI names the order of decoding only; no two frames have one time."""
        ticks = frame.dts if self.stream.container.format.name == "avi" else frame.pts
        seconds = self.seconds if ticks is None else float(ticks * self.stream.time_base)
        return seconds if seconds > self.seconds else self.seconds + 1 / float(self.rate)

    def end(self) -> None:
        self.file.mux(self.track.encode())


class _Sound:
    """The sound of a source on its way into a file: AAC is copied as it is, anything else encoded without gaps."""

    def __init__(self, file: Any, stream: Any):
        self.file, self.copied, self.source = (
            file,
            stream.codec_context.name == "aac",
            Path(stream.container.name),
        )
        if self.copied:
            self.track = file.add_stream_from_template(stream)
        else:
            self.rate = min(_RATES, key=lambda known: (abs(known - stream.rate), known))
            layout = "mono" if stream.channels == 1 else "stereo"  # a file need not name its own
            self.track = file.add_stream("aac", rate=self.rate, layout=layout)
            self.resampler = load_av().AudioResampler("fltp", layout, self.rate)
            self.samples: int | None = None  # that were written, with what comes before the first

    def put(self, packet: Any) -> None:
        if not self.copied:
            for frame in _decoded(self.source, packet):
                self._encode(frame)
        elif packet.dts is not None:  # the last one is empty and only flushes a decoder
            packet.stream = self.track
            self.file.mux(packet)

    def _encode(self, frame: Any | None) -> None:
        if self.samples is None:
            self.samples = round((frame.time or 0.0) * self.rate) if frame else 0
        if frame:
            frame.pts = None
        for piece in self.resampler.resample(frame):
            piece.pts, piece.time_base = self.samples, Fraction(1, self.rate)
            self.samples += piece.samples
            self.file.mux(self.track.encode(piece))

    def end(self) -> None:
        if not self.copied:
            self._encode(None)
            self.file.mux(self.track.encode())
