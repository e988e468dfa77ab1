"""Sound of a video or of a wav file: one waveform, cut into equal chunks, each as a log-mel spectrogram."""

import importlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from ...compat import load_av, load_soundfile, load_torchaudio, load_torchcodec
from ...spec import InvalidDataError, MissingPackageError

REMEDY = "take that file from its source again"
SILENT = 2.0**-15  # a peak below one step of 16 bits
MISSING_SECONDS = 0.25  # that a whole track may lack: encoders count their own delay in
_SOUND_FILES = (".wav", ".flac", ".ogg")


class Sound(NamedTuple):
    """A waveform ``(samples,)`` float32 of one channel, -1 to 1, and its rate in Hz."""

    waveform: torch.Tensor
    rate: int

    @property
    def is_silent(self) -> bool:
        """Whether there is nothing to hear."""
        return not len(self.waveform) or float(self.waveform.abs().max()) < SILENT


def read_sound(path: str | Path) -> Sound | None:
    """The sound of a wav file, or the track of a video, its channels averaged; None for a video without a track.

    A wav is read by soundfile, then as a video; a video by torchcodec, then PyAV. A file that is missing, damaged or
    truncated is an ``InvalidDataError``.
    """
    path = Path(path)
    if not path.is_file():
        raise InvalidDataError(f"{path} is missing; {REMEDY}")
    readers = [_read_torchcodec, _read_pyav]
    if path.suffix.lower() in _SOUND_FILES:
        readers.insert(0, _read_soundfile)
    for reader in readers:
        try:
            return reader(path)
        except MissingPackageError as error:
            reason = error
    raise reason


def _unreadable(path: Path, why: object) -> InvalidDataError:
    return InvalidDataError(f"the sound of {path} is truncated or damaged ({why}); {REMEDY}")


def _read_soundfile(path: Path) -> Sound:
    soundfile = load_soundfile()
    try:
        with soundfile.SoundFile(str(path)) as file:
            promised, values = file.frames, file.read(dtype="float32", always_2d=True)
            rate = file.samplerate
    except soundfile.LibsndfileError as error:
        raise _unreadable(path, error) from error
    if len(values) < promised:
        raise _unreadable(path, f"{len(values)} samples of {promised}")
    return Sound(torch.from_numpy(values.mean(axis=1)), rate)


def _read_pyav(path: Path) -> Sound | None:
    av = load_av()
    try:
        with av.open(str(path)) as container:
            if not container.streams.video and not container.streams.audio:
                raise _unreadable(path, "it has neither pictures nor sound")
            if not container.streams.audio:
                return None
            stream = container.streams.audio[0]
            mono = av.AudioResampler(format="fltp", layout=stream.layout, rate=stream.rate)
            blocks = [
                block.to_ndarray().mean(axis=0)
                for frame in container.decode(stream)
                for block in mono.resample(frame)
            ]
            rate, promised = int(stream.rate), float((stream.duration or 0) * stream.time_base)
    except av.FFmpegError as error:
        raise _unreadable(path, error) from error
    joined = np.concatenate([np.zeros(0, dtype=np.float32), *blocks])
    if len(joined) / rate < promised - MISSING_SECONDS:
        raise _unreadable(path, f"{len(joined) / rate:.1f} s of {promised:.1f} s")
    return Sound(torch.from_numpy(joined.astype(np.float32)), rate)


def _read_torchcodec(path: Path) -> Sound | None:
    decoders = load_torchcodec().decoders
    try:
        decoder = decoders.AudioDecoder(str(path))
    except (ValueError, RuntimeError) as error:
        if _has_pictures(path, decoders):
            return None
        raise _unreadable(path, str(error).splitlines()[0]) from error
    try:
        samples = decoder.get_all_samples()
    except RuntimeError as error:
        raise _unreadable(path, str(error).splitlines()[0]) from error
    promised = float(decoder.metadata.duration_seconds_from_header or 0)
    if samples.duration_seconds < promised - MISSING_SECONDS:
        raise _unreadable(path, f"{samples.duration_seconds:.1f} s of {promised:.1f} s")
    return Sound(samples.data.mean(dim=0), int(samples.sample_rate))


def _has_pictures(path: Path, decoders: Any) -> bool:
    """Whether a file without sound that can be read is a video all the same."""
    try:
        decoders.VideoDecoder(str(path), seek_mode="approximate")
    except (ValueError, RuntimeError):
        return False
    return True


class LogMel:
    """The log-mel spectrogram of each of L equal chunks of a sound, ``(L, hops, mel_bins)`` float32.

    As the feature extractor of the Audio Spectrogram Transformer does (Gong et al., Interspeech 2021), which MultiTSF
    and MMASL give each chunk to: Kaldi's filter bank with a Hanning window, zeros up to ``hops`` hops, then
    ``(x - mean) / (2 * std)`` with the mean and deviation of AudioSet. At 2.5 frames a second a chunk lasts 0.4 s, so
    that 38 of the 1,024 hops hold sound; only those are computed (``real``) and kept on disk. ``hops``, ``mel_bins``,
    ``window_ms`` and ``hop_ms`` make it as small as wanted: ``LogMel(hops=8, mel_bins=32, window_ms=50, hop_ms=50)``.
    """

    def __init__(
        self,
        hops: int = 1024,
        mel_bins: int = 128,
        rate: int = 16000,
        window_ms: float = 25.0,
        hop_ms: float = 10.0,
        mean: float = -4.2677393,
        std: float = 4.5689974,
    ):
        if min(hops, mel_bins, rate, window_ms, hop_ms, std) <= 0:
            raise ValueError(
                f"hops={hops}, mel_bins={mel_bins}, rate={rate}, window_ms={window_ms}, hop_ms={hop_ms}, std={std}; "
                "all are above 0"
            )
        self.hops, self.mel_bins, self.rate = hops, mel_bins, rate
        self.window_ms, self.hop_ms, self.mean, self.std = window_ms, hop_ms, mean, std

    @property
    def options(self) -> tuple[Any, ...]:
        """What the real hops of a chunk depend on; padding and scaling are done when they are read."""
        return ("fbank", 1, self.mel_bins, self.rate, self.window_ms, self.hop_ms)

    def real(self, sound: Sound, chunks: int) -> np.ndarray:
        """The filter bank of each chunk before padding and scaling, ``(chunks, real hops, mel_bins)`` float32."""
        torchaudio = load_torchaudio()
        kaldi = importlib.import_module("torchaudio.compliance.kaldi")

        waveform = torchaudio.functional.resample(sound.waveform, sound.rate, self.rate)
        window, hop = (int(ms * self.rate * 0.001) for ms in (self.window_ms, self.hop_ms))
        length = max(len(waveform) // chunks, window)  # a track may be much shorter than its pictures
        waveform = F.pad(waveform, (0, max(length * chunks - len(waveform), 0)))[: length * chunks]
        windows = waveform.reshape(chunks, length).unfold(1, window, hop)
        # Windows end to end and a shift of a whole window: one call for all chunks.
        banks = kaldi.fbank(
            windows.reshape(1, -1),
            sample_frequency=self.rate,
            window_type="hanning",
            num_mel_bins=self.mel_bins,
            frame_length=self.window_ms,
            frame_shift=self.window_ms,
            dither=0.0,
        )
        return banks.reshape(chunks, -1, self.mel_bins).numpy()

    def padded(self, real: np.ndarray) -> np.ndarray:
        """Chunks ``(T, any, mel_bins)`` as ``(T, hops, mel_bins)``: cut or filled up with zeros, then scaled."""
        wanted = np.zeros((len(real), self.hops, self.mel_bins), dtype=np.float32)
        there = min(self.hops, real.shape[1])
        wanted[:, :there] = real[:, :there]
        return (wanted - np.float32(self.mean)) / np.float32(2 * self.std)

    def __call__(self, sound: Sound, chunks: int) -> np.ndarray:
        """The spectrograms of the chunks, padded and scaled."""
        return self.padded(self.real(sound, chunks))

    def silence(self, chunks: int) -> np.ndarray:
        """What stands for a track that is missing or silent: zeros, the mean of all sound."""
        return np.zeros((chunks, self.hops, self.mel_bins), dtype=np.float32)
