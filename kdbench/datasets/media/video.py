"""Frames of a video file by their number, the same ones whichever package decodes them.

Packages in order of choice: torchcodec, PyAV, OpenCV; one counts only if it really loads. Frame 0 is the first that is
shown. No package seeks by time or by guess: frames are found by exact time stamps or counted from the start, so none
comes twice.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from ...compat import load_av, load_opencv, load_torchcodec
from ...registry import near
from ...spec import InvalidDataError, MissingPackageError

REMEDY = "take that file from its source again"
_UNSTAMPED = (".avi",)  # torchcodec takes the order of decoding for that of showing in these
_STAMPING = ("mp4", "matroska", "mpegts")  # containers that store when a frame is shown; AVI, say, does not
_EARLY = 1e-3  # of a frame: k / fps seconds is frame k, whichever way the quotient was rounded


class VideoInfo(NamedTuple):
    """What a video is, from counting all its frames: ``fps`` on average, ``frames``, ``height``, ``width``."""

    fps: float
    frames: int
    height: int
    width: int

    def at(self, seconds: Sequence[float] | np.ndarray) -> np.ndarray:
        """The frames that are shown at these times, ``(T,)`` int64; the last one after the end.

        >>> VideoInfo(fps=30.0, frames=60, height=240, width=320).at([0.0, 0.1, 9.0])
        array([ 0,  3, 59])
        """
        found = np.floor(np.asarray(seconds, dtype=np.float64) * self.fps + _EARLY)
        return found.clip(0, self.frames - 1).astype(np.int64)


class _Packets(NamedTuple):
    """The frames of a video in the order in which they are shown, as its packets tell.

    ``times`` (F,) are their time stamps, None where the file gives none that can be relied on; ``keys`` are the time
    stamps at which decoding can begin. ``promised`` is the number of frames in the header, 0 if it gives none.
    """

    info: VideoInfo
    times: np.ndarray | None
    keys: np.ndarray
    promised: int


def probe(path: str | Path, backend: str | None = None) -> VideoInfo:
    """Rate, number of frames and size of a video; a file that is missing, damaged or truncated is refused.

    Frames are counted, not taken from the header. ``backend`` is chosen if it is not given.
    """
    path = _existing(path)
    return _BACKENDS[_chosen(backend, path)].probe(path, *_stamp(path))


def read_frames(
    path: str | Path,
    indices: Sequence[int] | np.ndarray,
    size: int | tuple[int, int] | None = None,
    backend: str | None = None,
) -> torch.Tensor:
    """Frames ``(T, 3, H, W)`` uint8 RGB of a video by their numbers, in the order asked for; repeats are allowed.

    ``size``, the height and width or one number for both, resizes them (``resized``).
    """
    path = _existing(path)
    chosen = _chosen(backend, path)
    info = _BACKENDS[chosen].probe(path, *_stamp(path))
    wanted, places = np.unique(np.asarray(indices, dtype=np.int64), return_inverse=True)
    if not len(wanted) or wanted[0] < 0 or wanted[-1] >= info.frames:
        raise ValueError(f"{path}: frames {list(indices)}; there is: 0 to {info.frames - 1}")
    found = torch.stack([resized(frame[None], size)[0] for frame in _BACKENDS[chosen].frames(path, wanted)])
    return found[torch.from_numpy(places)]


def resized(frames: torch.Tensor, size: int | tuple[int, int] | None) -> torch.Tensor:
    """Frames ``(T, 3, H, W)`` uint8 at another size, bilinear with antialiasing; the aspect is not kept.

    The published loaders resize with Pillow, which this equals but for rounding.
    """
    size = (size, size) if isinstance(size, int) else size
    if size is None or tuple(frames.shape[-2:]) == tuple(size):
        return frames
    return F.interpolate(frames, size=tuple(size), mode="bilinear", antialias=True)


def backends(path: str | Path = "") -> tuple[str, ...]:
    """The packages that load on this machine, and that give the right frames of the file, the best first."""
    wrong = () if Path(path).suffix.lower() not in _UNSTAMPED else ("torchcodec",)
    return tuple(name for name, backend in _BACKENDS.items() if name not in wrong and _loads(name, backend))


def _chosen(backend: str | None, path: Path) -> str:
    if backend is not None and backend not in _BACKENDS:
        raise ValueError(f"backend '{backend}' is unknown; {near(backend, _BACKENDS)}")
    if backend is not None:
        _BACKENDS[backend].load()
        return backend
    there = backends(path)
    if not there:
        raise MissingPackageError(
            f"videos need one of {', '.join(_BACKENDS)}, and none of them loads; pip install av"
        )
    return there[0]


def _existing(path: str | Path) -> Path:
    path = Path(path)
    if not path.is_file():
        raise InvalidDataError(f"{path} is missing; {REMEDY}")
    return path


def _stamp(path: Path) -> tuple[int, int]:
    """Size and time of a file: what was counted in it holds as long as these do."""
    state = path.stat()
    return state.st_size, state.st_mtime_ns


def _unreadable(path: Path, why: object) -> InvalidDataError:
    return InvalidDataError(f"{path} is truncated or damaged ({why}); {REMEDY}")


def _whole(path: Path, info: VideoInfo, promised: int) -> VideoInfo:
    """The info of a video that has what its header promises."""
    if info.frames < max(promised, 1):
        why = f"{info.frames} frames, and its header promises {promised}" if promised else "not one frame"
        raise _unreadable(path, why)
    return info


# PyAV


@functools.lru_cache(maxsize=4096)
def _pyav_packets(path: Path, size: int, changed: int) -> _Packets:
    """Read all packets of the file, which costs no decoding."""
    av = load_av()
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            whole = [p for p in container.demux(stream) if p.size and not p.is_corrupt]
            shown = [(p.pts, p.is_keyframe) for p in whole if not p.is_discard]  # an edit list may hide some
            rate = float(stream.average_rate or stream.guessed_rate or 0)
            info = VideoInfo(rate, len(shown), stream.height, stream.width)
            promised = stream.frames - (len(whole) - len(shown))
            is_stamped = any(name in container.format.name for name in _STAMPING)
    except (av.FFmpegError, IndexError) as error:
        raise _unreadable(path, error) from error
    return _Packets(info, *(_ordered(shown) if is_stamped else (None, np.zeros(0))), promised)


def _ordered(shown: list[tuple[int | None, bool]]) -> tuple[np.ndarray | None, np.ndarray]:
    """Time stamps of all frames and of the key frames; None for the first where they do not tell frames apart."""
    times = [pts for pts, _ in shown]
    keys = np.array(sorted(pts for pts, is_key in shown if is_key and pts is not None), dtype=np.int64)
    if not times or None in times or len(set(times)) < len(times) or not len(keys) or keys[0] > min(times):
        return None, keys
    return np.array(sorted(times), dtype=np.int64), keys


def _pyav_probe(path: Path, size: int, changed: int) -> VideoInfo:
    packets = _pyav_packets(path, size, changed)
    return _whole(path, packets.info, packets.promised)


def _pyav_frames(path: Path, wanted: np.ndarray) -> Iterator[torch.Tensor]:
    av, packets = load_av(), _pyav_packets(path, *_stamp(path))
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            found = _counted if packets.times is None else _stamped
            yield from (_as_tensor(frame) for frame in found(container, stream, packets, wanted))
    except av.FFmpegError as error:
        raise _unreadable(path, error) from error
    except EOFError as error:
        raise _unreadable(path, error) from None


def _counted(container: Any, stream: Any, packets: _Packets, wanted: np.ndarray) -> Iterator[Any]:
    """The wanted frames, counted from the start."""
    left = iter(wanted.tolist())
    following = next(left)
    for number, frame in enumerate(container.decode(stream)):
        if number == following:
            yield frame
            following = next(left, None)
            if following is None:
                return
    raise EOFError(f"frame {following} cannot be decoded")


def _stamped(container: Any, stream: Any, packets: _Packets, wanted: np.ndarray) -> Iterator[Any]:
    """The wanted frames by their time stamps; where a key frame lies between two of them, what is before is skipped."""
    times = packets.times[wanted]
    segments = np.searchsorted(packets.keys, times, side="right") - 1
    frames, at = iter(()), None
    for time, segment in zip(times.tolist(), segments.tolist(), strict=True):
        if segment != at:
            container.seek(int(packets.keys[segment]), stream=stream, backward=True)
            frames, at = container.decode(stream), segment
        frame = next((frame for frame in frames if frame.pts == time), None)
        if frame is None:
            raise EOFError(f"the frame at time stamp {time} cannot be decoded")
        yield frame


def _as_tensor(frame: Any) -> torch.Tensor:
    return torch.from_numpy(frame.to_ndarray(format="rgb24")).permute(2, 0, 1)


# torchcodec


@functools.lru_cache(maxsize=4096)
def _torchcodec_probe(path: Path, size: int, changed: int) -> VideoInfo:
    about = _torchcodec_decoder(path).metadata
    counted = int(about.num_frames_from_content or 0)
    info = VideoInfo(float(about.average_fps or 0), counted, int(about.height), int(about.width))
    return _whole(path, info, int(about.num_frames_from_header or 0))


def _torchcodec_decoder(path: Path) -> Any:
    decoders = load_torchcodec().decoders
    try:
        return decoders.VideoDecoder(str(path), dimension_order="NCHW", seek_mode="exact")
    except (RuntimeError, ValueError) as error:
        raise _unreadable(path, str(error).splitlines()[0]) from error


def _torchcodec_frames(path: Path, wanted: np.ndarray) -> Iterator[torch.Tensor]:
    decoder = _torchcodec_decoder(path)  # one for each call: forked workers must not share one
    try:
        yield from decoder.get_frames_at(indices=wanted.tolist()).data
    except (RuntimeError, IndexError) as error:
        raise _unreadable(path, str(error).splitlines()[0]) from error


# OpenCV


@functools.lru_cache(maxsize=4096)
def _opencv_probe(path: Path, size: int, changed: int) -> VideoInfo:
    cv2, capture = load_opencv(), _opencv_capture(path)
    try:
        about = [
            capture.get(key)
            for key in (cv2.CAP_PROP_FPS, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_WIDTH)
        ]
        promised, frames = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), 0
        while capture.grab():
            frames += 1
    finally:
        capture.release()
    return _whole(path, VideoInfo(float(about[0]), frames, int(about[1]), int(about[2])), promised)


def _opencv_capture(path: Path) -> Any:
    cv2 = load_opencv()
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    if not capture.isOpened():
        raise _unreadable(path, "OpenCV cannot open it")
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)  # the others do not turn pictures either
    return capture


def _opencv_frames(path: Path, wanted: np.ndarray) -> Iterator[torch.Tensor]:
    """Count from the start; OpenCV's own seeking is off by some frames in many files."""
    capture, at = _opencv_capture(path), -1
    try:
        for number in wanted.tolist():
            while at < number and capture.grab():
                at += 1
            is_read, picture = capture.retrieve() if at == number else (False, None)
            if not is_read:
                raise _unreadable(path, f"frame {number} cannot be decoded")
            yield torch.from_numpy(np.ascontiguousarray(picture[..., ::-1])).permute(2, 0, 1)
    finally:
        capture.release()


class _Backend(NamedTuple):
    load: Callable[[], Any]
    probe: Callable[[Path, int, int], VideoInfo]
    frames: Callable[[Path, np.ndarray], Iterator[torch.Tensor]]


_BACKENDS = {
    "torchcodec": _Backend(load_torchcodec, _torchcodec_probe, _torchcodec_frames),
    "pyav": _Backend(load_av, _pyav_probe, _pyav_frames),
    "opencv": _Backend(load_opencv, _opencv_probe, _opencv_frames),
}


@functools.cache
def _loads(name: str, backend: _Backend) -> bool:
    try:
        backend.load()
    except MissingPackageError:
        return False
    return True
