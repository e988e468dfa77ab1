"""Small videos whose every frame tells its number, for the tests of readers."""

from pathlib import Path

import numpy as np
import pytest

av = pytest.importorskip("av", reason="PyAV is not installed")

from kdbench.datasets.media.encode import write_video  # noqa: E402

HEIGHT, WIDTH, BITS = 48, 64, 8


def pictures(count: int, tint: int = 0) -> np.ndarray:
    """``(count, 48, 64, 3)``: each frame's number as eight black or white bars, below it a stripe of brightness."""
    frames = np.full((count, HEIGHT, WIDTH, 3), 128, np.uint8)
    for bit in range(BITS):
        lit = (np.arange(count) >> bit & 1).astype(bool)
        frames[:, : HEIGHT // 2, bit * 8 : (bit + 1) * 8] = np.where(lit, 235, 20)[:, None, None, None]
    frames[:, HEIGHT // 2 :, :, 0] = tint
    return frames


def number(frame: np.ndarray) -> int:
    """The number that a frame ``(3, 48, 64)`` shows."""
    bars = np.asarray(frame)[:, 4 : HEIGHT // 2 - 4].mean(axis=(0, 1)).reshape(BITS, 8)[:, 2:6].mean(axis=1)
    return sum(1 << bit for bit in range(BITS) if bars[bit] > 128)


def tone(seconds: float, hertz: float = 440.0, rate: int = 16000) -> np.ndarray:
    """A sine of half the full scale."""
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate).astype(np.float32)


def make(
    path: Path, count: int = 60, fps: float = 30.0, sound: str | None = "tone", gop: int = 12, tint: int = 0
):
    """An mp4 of numbered frames; ``sound`` is ``"tone"``, ``"silence"`` or None for no track."""
    path.parent.mkdir(parents=True, exist_ok=True)
    waves = {
        "tone": tone(count / fps),
        "silence": np.zeros(round(count / fps * 16000), np.float32),
        None: None,
    }
    write_video(path, pictures(count, tint), fps, waves[sound], 16000, gop=gop)
    return path


def damage(path: Path, share: float = 0.5) -> Path:
    """The file cut off after a share of its bytes."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path
