"""The sounds of the actions, what each camera's microphone hears of them, and its log-mel spectrogram."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch

from ...compat import load_torchaudio
from .script import ACTIONS, Event

_METRES_A_SECOND = 343.0
_VARIANTS = 16
_LOOP_SECONDS = 3.0
_LOUDNESS = {"clap": 0.9, "rub_hands": 0.1, "phone_call": 0.22, "drink": 0.12, "knock": 0.7, "stamp": 0.7}
# Where in its cycle (radians) an action that hits makes its sound: hands together, fist at the door, foot down.
_HITS = {"clap": 1.5 * np.pi, "knock": 0.5 * np.pi, "stamp": 1.5 * np.pi}


class Clock(NamedTuple):
    """How frames, hops and audio samples fit together: each of ``frames`` has ``hops`` hops of ``hop`` samples."""

    frames: int
    hops: int
    hop: int
    rate: float
    window: int

    @property
    def samples(self) -> int:
        """The length of a clip's waveform, with the margin that centres a window on every hop."""
        return self.frames * self.hops * self.hop + self.window - self.hop

    @property
    def inside(self) -> slice:
        """The samples of the clip itself, without the margin."""
        return slice(self.position(0.0), self.position(0.0) + self.frames * self.hops * self.hop)

    def position(self, seconds: float) -> int:
        """The sample that is heard at ``seconds`` after the clip's start."""
        return round(seconds * self.rate) + (self.window - self.hop) // 2


def set_clock(frames: int, fps: float, hops: int, rate: int = 8000) -> Clock:
    """The clock whose rate is the nearest below ``rate`` that gives whole hops."""
    hop = max(int(rate // (fps * hops)), 1)
    return Clock(frames, hops, hop, rate=hop * hops * fps, window=max(512, 1 << (hop - 1).bit_length()))


def record(
    rng: np.random.Generator,
    events: Sequence[Event],
    mouths: np.ndarray,
    microphones: np.ndarray,
    clock: Clock,
) -> np.ndarray:
    """What each microphone hears, ``(V, samples)`` float32.

    ``mouths`` (E, 3) is where each event sounds, ``microphones`` (V, 3) is in metres. Sound falls with the distance,
    comes later from afar and echoes from the walls.
    """
    heard = np.zeros((len(microphones), clock.samples), dtype=np.float32)
    bank = _bank(round(clock.rate))
    for event, mouth in zip(events, mouths, strict=True):
        dry = _perform(rng, event, clock, bank)
        if dry is not None:
            metres = np.linalg.norm(microphones - mouth, axis=1)
            for ear, distance in zip(heard, metres.tolist(), strict=True):
                late = int(distance / _METRES_A_SECOND * clock.rate)
                ear[late:] += dry[: len(dry) - late] / np.float32(max(distance, 0.5))
    return _echo(rng, heard, clock.rate)


def _perform(
    rng: np.random.Generator, event: Event, clock: Clock, bank: dict[str, np.ndarray]
) -> np.ndarray | None:
    name = ACTIONS[event.action]
    if name not in _LOUDNESS:
        return None
    takes = bank[name]
    take = takes[rng.integers(len(takes))]
    gain = np.float32(_LOUDNESS[name] * np.exp(rng.normal(0.0, 0.25)))
    dry = np.zeros(clock.samples, dtype=np.float32)
    if name in _HITS:
        first = (_HITS[name] - event.phase) % (2 * np.pi) / (2 * np.pi * event.rate)
        for seconds in np.arange(event.onset + first, event.offset, 1.0 / event.rate).tolist():
            _mix(dry, take * gain, clock.position(seconds))
    else:
        length = round((event.offset - event.onset) * clock.rate)
        _mix(dry, np.roll(take, rng.integers(len(take)))[:length] * gain, clock.position(event.onset))
    return dry


def _mix(into: np.ndarray, sound: np.ndarray, start: int) -> None:
    begin, end = max(start, 0), min(start + len(sound), len(into))
    if begin < end:
        into[begin:end] += sound[begin - start : end - start]


def _echo(rng: np.random.Generator, heard: np.ndarray, rate: float) -> np.ndarray:
    """Early reflections and a sparse tail that has fallen by 60 dB after about 0.4 s."""
    delays = rng.uniform(0.006, 0.12, 8)
    gains = 0.5 * np.exp(-delays / 0.058) * rng.choice([-1.0, 1.0], 8)
    wet = heard.copy()
    for delay, gain in zip((delays * rate).astype(int).tolist(), gains.tolist(), strict=True):
        wet[:, delay:] += np.float32(gain) * heard[:, : heard.shape[1] - delay]
    return wet


@lru_cache(maxsize=4)
def _bank(rate: int) -> dict[str, np.ndarray]:
    """Takes of every sound at ``rate``, ``(16, samples)`` float32 of unit peak; the same in every process."""
    thud = _takes(_thud, rate, 0.25)
    return {
        "clap": _takes(_slap, rate, 0.08),
        "rub_hands": _takes(_brush, rate, _LOOP_SECONDS),
        "phone_call": _takes(_voice, rate, _LOOP_SECONDS),
        "drink": _takes(_gulps, rate, _LOOP_SECONDS),
        "knock": thud,
        "stamp": thud,
    }


def _takes(
    make: Callable[[np.random.Generator, np.ndarray], np.ndarray], rate: int, seconds: float
) -> np.ndarray:
    times = np.arange(round(rate * seconds)) / rate
    generators = [np.random.Generator(np.random.Philox(key=i)) for i in range(_VARIANTS)]
    takes = np.stack([make(rng, times) for rng in generators])
    return (takes / np.abs(takes).max(axis=1, keepdims=True)).astype(np.float32)


def _slap(rng: np.random.Generator, t: np.ndarray) -> np.ndarray:
    burst = np.diff(rng.standard_normal(len(t)), prepend=0.0)
    ring = np.sin(2 * np.pi * rng.uniform(900, 1700) * t)
    return (burst + ring) * np.exp(-t / rng.uniform(0.008, 0.018))


def _thud(rng: np.random.Generator, t: np.ndarray) -> np.ndarray:
    falling = np.cumsum(rng.uniform(90, 170) * (1 + np.exp(-t / 0.02))) * (t[1] - t[0])
    knock = np.convolve(rng.standard_normal(len(t)), np.ones(12) / 12, mode="same") * np.exp(-t / 0.015)
    return np.sin(2 * np.pi * falling) * np.exp(-t / rng.uniform(0.04, 0.09)) + knock


def _brush(rng: np.random.Generator, t: np.ndarray) -> np.ndarray:
    strokes = 0.3 + 0.7 * np.abs(np.sin(2 * np.pi * rng.uniform(1.6, 2.4) * t + rng.uniform(0, 6)))
    return np.diff(rng.standard_normal(len(t)), prepend=0.0) * strokes


def _voice(rng: np.random.Generator, t: np.ndarray) -> np.ndarray:
    """A glottal tone with wandering pitch, two moving formants and about four syllables a second."""
    knots = np.linspace(0, t[-1], 16)
    pitch = rng.uniform(100, 230) * np.exp(np.interp(t, knots, rng.normal(0, 0.12, 16)))
    first, second = (
        np.interp(t, knots, rng.uniform(300, 800, 16)),
        np.interp(t, knots, rng.uniform(900, 2200, 16)),
    )
    phase = 2 * np.pi * np.cumsum(pitch) * (t[1] - t[0])
    sound = np.zeros_like(t)
    for k in range(1, 14):
        formants = np.exp(-(((k * pitch - first) / 150) ** 2)) + 0.6 * np.exp(
            -(((k * pitch - second) / 200) ** 2)
        )
        sound += (formants + 0.05) * np.sin(k * phase) / k**0.5
    syllables = np.clip(np.sin(2 * np.pi * rng.uniform(3, 5) * t + rng.uniform(0, 6)) + 0.5, 0, 1)
    return sound * syllables


def _gulps(rng: np.random.Generator, t: np.ndarray) -> np.ndarray:
    """Short rising chirps, about two a second."""
    cycle = np.mod(t * rng.uniform(1.5, 2.5) + rng.uniform(), 1.0)
    phase = 2 * np.pi * np.cumsum(rng.uniform(250, 400) * (1 + 3.0 * cycle)) * (t[1] - t[0])
    return np.sin(phase) * np.exp(-(((cycle - 0.2) / 0.08) ** 2))


@lru_cache(maxsize=8)
def _mel(rate: int, window: int, hop: int, bins: int) -> Any:
    transforms = load_torchaudio().transforms
    return transforms.MelSpectrogram(
        sample_rate=rate,
        n_fft=window,
        hop_length=hop,
        n_mels=bins,
        center=False,
        f_min=40.0,
        mel_scale="slaney",
    )


def log_mel(waveforms: np.ndarray, clock: Clock, bins: int) -> np.ndarray:
    """The spectrogram by frame and hop, ``(V, T, S, M)`` float32: log10 of the power, about -6 to 3."""
    transform = _mel(round(clock.rate), clock.window, clock.hop, bins)
    power = transform(torch.from_numpy(waveforms))  # (V, M, T * S)
    levels = power.clamp_min_(1e-6).log10_().transpose(1, 2)
    return levels.reshape(len(waveforms), clock.frames, clock.hops, bins).contiguous().numpy()
