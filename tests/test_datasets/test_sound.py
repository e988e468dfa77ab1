"""Sound of videos and wav files, and its log-mel in chunks."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from kdbench.datasets.media import LogMel, Sound, read_sound
from kdbench.datasets.media import sound as reading
from kdbench.spec import InvalidDataError

from .made_videos import damage, make, tone

TINY = dict(hops=8, mel_bins=32, window_ms=50.0, hop_ms=50.0)


def test_the_track_of_a_video(tmp_path):
    sound = read_sound(make(tmp_path / "a.mp4", count=60, fps=30.0))
    spectrum = np.abs(np.fft.rfft(sound.waveform.numpy()[8000:24000]))
    assert sound.rate == 16000
    assert abs(len(sound.waveform) / 16000 - 2.0) < 0.1
    assert spectrum.argmax() == 440
    assert not sound.is_silent


def test_no_track_and_silence(tmp_path):
    assert read_sound(make(tmp_path / "a.mp4", sound=None)) is None
    assert read_sound(make(tmp_path / "b.mp4", sound="silence")).is_silent
    assert Sound(torch.zeros(0), 8000).is_silent


def test_channels_of_a_wav_are_averaged(tmp_path):
    soundfile = pytest.importorskip("soundfile", reason="soundfile is not installed")
    left, right = tone(0.5, 440), tone(0.5, 880)
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], axis=1), 16000, subtype="FLOAT")
    for reader in (reading._read_soundfile, reading._read_pyav):
        sound = reader(tmp_path / "a.wav")
        assert torch.allclose(sound.waveform, torch.from_numpy((left + right) / 2), atol=1e-6)


def test_a_wav_is_read_without_soundfile(tmp_path, monkeypatch):
    soundfile = pytest.importorskip("soundfile", reason="soundfile is not installed")
    soundfile.write(tmp_path / "a.wav", tone(0.5), 16000)
    expected = read_sound(tmp_path / "a.wav")

    def absent():
        raise reading.MissingPackageError("soundfile")

    monkeypatch.setattr(reading, "load_soundfile", absent)
    found = read_sound(tmp_path / "a.wav")
    assert found.rate == 16000
    assert torch.allclose(found.waveform, expected.waveform, atol=1e-4)


def test_missing_and_damaged_files(tmp_path):
    with pytest.raises(InvalidDataError, match=r"a\.mp4 is missing"):
        read_sound(tmp_path / "a.mp4")
    (tmp_path / "b.wav").write_bytes(b"RIFF nothing")
    cut = [damage(make(tmp_path / f"{share}.mp4"), share) for share in (0.0, 0.01, 0.5)]
    for path in (*cut, tmp_path / "b.wav"):
        with pytest.raises(InvalidDataError, match=r"the sound of .* is truncated or damaged"):
            read_sound(path)


def test_log_mel_has_the_published_size_and_scale():
    log_mel = LogMel()
    made = log_mel(Sound(torch.from_numpy(tone(2.0)), 16000), 5)  # 0.4 s each, as at 2.5 frames a second
    assert made.shape == (5, 1024, 128)
    assert made.dtype == np.float32
    padding = 4.2677393 / (2 * 4.5689974)  # a zero after scaling
    assert np.allclose(made[:, 38:], padding)
    assert not np.isclose(made[:, 37], padding).any()


def test_log_mel_is_kaldis_filter_bank_of_each_chunk():
    rng = np.random.default_rng(0)
    waveform = rng.normal(scale=0.1, size=3 * 6400).astype(np.float32)
    made = LogMel().real(Sound(torch.from_numpy(waveform), 16000), 3)
    chunk = waveform[6400:12800].astype(np.float64)
    frame = chunk[160:560] - chunk[160:560].mean()  # the second window of the second chunk
    frame = np.concatenate([[frame[0] * (1 - 0.97)], frame[1:] - 0.97 * frame[:-1]])
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 399)
    power = np.abs(np.fft.rfft(frame * window, 512)) ** 2

    def mel(hertz):
        return 1127 * np.log1p(hertz / 700)

    edges = np.linspace(mel(20), mel(8000), 130)
    at = mel(np.arange(256) * 16000 / 512)
    up = (at[None] - edges[:-2, None]) / (edges[1] - edges[0])
    bank = np.clip(np.minimum(up, 2 - up), 0, None) @ power[:256]
    expected = np.log(np.maximum(bank, np.finfo(np.float32).eps))
    assert np.abs(made[1, 1] - expected).max() < 1e-2


def test_a_tiny_log_mel_and_another_rate():
    made = LogMel(**TINY)(Sound(torch.from_numpy(tone(2.0, rate=8000)), 8000), 5)
    assert made.shape == (5, 8, 32)
    assert np.isfinite(made).all()
    low, high = (LogMel(**TINY)(Sound(torch.from_numpy(tone(2.0, hertz)), 16000), 5) for hertz in (200, 3000))
    assert low.mean(axis=(0, 1)).argmax() < high.mean(axis=(0, 1)).argmax()


def test_a_track_much_shorter_than_its_pictures_is_filled_up():
    assert LogMel(**TINY)(Sound(torch.from_numpy(tone(0.01)), 16000), 5).shape == (5, 8, 32)


def test_silence_is_zeros_and_wrong_sizes_are_refused():
    assert not LogMel(**TINY).silence(3).any()
    with pytest.raises(ValueError, match="all are above 0"):
        LogMel(hops=0)


def test_a_real_clip_is_heard():
    path = Path(os.environ.get("KDBENCH_DATA_ROOT", "/nowhere"), "videos", "mmaction2_av_test.avi")
    if not path.is_file():
        pytest.skip("there are no videos under $KDBENCH_DATA_ROOT")
    sound = read_sound(path)
    assert sound.rate == 44100
    assert abs(len(sound.waveform) / sound.rate - 6.56) < 0.05
    assert LogMel()(sound, 17)[:, :37].std() > 0.2
