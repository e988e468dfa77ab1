"""A small home in video files, and its clips from the loader, by decoding alone, from mapped files, and anew."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, default_collate

from kdbench.datasets import EpochSampler
from kdbench.datasets.media.cache import ArrayCache
from kdbench.datasets.media.encode import write_video
from kdbench.datasets.media.sound import LogMel, read_sound
from kdbench.datasets.media.video import read_frames
from kdbench.datasets.multi_view_videos import MultiViewVideos
from kdbench.datasets.multisensor_home import MultiSensorHome
from kdbench.datasets.person_writer import PersonWriter
from kdbench.datasets.persons import Persons, PersonStore
from kdbench.datasets.timeline import uniform_steps

VIEWS, SIZE, FPS, RATE = 5, (240, 320), 25.0, 16000  # those of MultiSensor-Home's public files
STEPS = 20  # of a clip
SOURCES = Path(os.environ.get("KDBENCH_DATA_ROOT", "/nowhere"))
DETECTOR = SOURCES / "models" / "light_person_detector_192.onnx"
PEOPLE = SOURCES / "videos" / "vtest_30s.mp4"  # people who walk
Candidates = dict[str, Callable[[], Any]]


def make_home(root: Path, recordings: int = 2, seconds: float = 10.0) -> Path:
    """Videos of a bright box that wanders over a textured wall, with sound, in the layout of Home1."""
    entries = []
    for number in range(recordings):
        urls = {f"video_url_{view + 1}": f"01/{number:02d}-View{view + 1}-Part1.mp4" for view in range(VIEWS)}
        for view, url in enumerate(urls.values()):
            rng = np.random.default_rng([number, view])
            (root / url).parent.mkdir(parents=True, exist_ok=True)
            sound = 0.2 * rng.standard_normal(round(seconds * RATE)).astype(np.float32)
            write_video(root / url, _pictures(rng, round(seconds * FPS)), FPS, sound, RATE)
        tricks = [{"start": 1.0, "end": seconds / 2, "labels": ["Drink"]}]
        entries.append({**urls, "tricks": tricks})
    for name in ("train", "test"):
        (root / f"{name}.json").write_text(json.dumps(entries), encoding="utf-8")
    return root


def _pictures(rng: np.random.Generator, count: int) -> Iterator[np.ndarray]:
    coarse = rng.uniform(60, 180, (SIZE[0] // 8, SIZE[1] // 8, 3))
    wall = coarse.repeat(8, 0).repeat(8, 1).astype(np.uint8)
    way = rng.uniform(0.5, 2.0, 2)
    for time in np.arange(count) / FPS:
        picture = wall.copy()
        row, column = (
            round(float(0.4 * side * (1 + np.sin(w * time)))) for side, w in zip(SIZE, way, strict=True)
        )
        picture[row : row + 48, column : column + 24] = 240
        yield picture


def home(root: Path, **options: Any) -> MultiSensorHome:
    """The test clips of that home."""
    return MultiSensorHome(root, split="test", num_frames=STEPS, cache_dir=root / "cache", **options)


def passes(dataset: MultiViewVideos) -> list[dict[str, Any]]:
    """All batches of an epoch, in one process."""
    sampler = EpochSampler(dataset, shuffle=False)
    return list(DataLoader(dataset, batch_size=1, sampler=sampler, collate_fn=default_collate))


def decoded(dataset: MultiViewVideos) -> list[list[torch.Tensor]]:
    """The frames of each clip and view, decoded and nothing else."""
    clips = []
    for index in range(len(dataset)):
        views = dataset._views(index)
        steps = uniform_steps(min(view.steps for view in views), STEPS)
        clips.append([read_frames(dataset.root / view.video, steps * view.every) for view in views])
    return clips


def loading(root: Path) -> Candidates:
    """An epoch by decoding alone, and by the loader: frames as they are, resized, with sound, from the disk's cache."""
    plain = home(root, modalities=("rgb",), frame_size=SIZE, cache=())
    small = home(root, modalities=("rgb",), frame_size=224, cache=())
    heard = home(root, frame_size=224, cache=("audio",))
    kept = home(root, frame_size=224)
    for warm in (heard, kept):
        passes(warm)
    for batch, views in zip(passes(plain), decoded(plain), strict=True):
        if not torch.equal(batch["inputs"]["rgb"][0], torch.stack(views)):
            raise AssertionError("the loader gives other frames than decoding alone")
    return {
        "decoding alone": lambda: decoded(plain),
        "loader": lambda: passes(plain),
        "loader, resized to 224 x 224": lambda: passes(small),
        "the same with sound, log-mel mapped": lambda: passes(heard),
        "the same, frames mapped too": lambda: passes(kept),
    }


def sounding(root: Path) -> Candidates:
    """The log-mel of one view at all steps: mapped, and computed anew."""
    video = root / "01/00-View1-Part1.mp4"
    log_mel, cache = LogMel(), ArrayCache(root / "cache" / "sound")

    def anew() -> np.ndarray:
        return log_mel.real(read_sound(video), STEPS)

    def mapped() -> np.ndarray:
        return np.array(cache.get(video, log_mel.options, anew))

    np.testing.assert_array_equal(mapped(), anew())
    return {"mapped": mapped, "anew": anew}


def masking(root: Path) -> Candidates:
    """Scores and masks of people at some frames of a video: from the store, and by decoding and detecting."""
    from kdbench.detection import OnnxDetector

    detector, frames = OnnxDetector(DETECTOR), np.arange(0, 4 * STEPS, 4)

    def found() -> Persons:
        pictures = read_frames(PEOPLE, frames).permute(0, 2, 3, 1).numpy()
        return Persons.from_boxes([one.boxes for one in detector(pictures)], FPS)

    writer = PersonWriter(
        root / "persons" / "onnx", "onnx", detector.threshold, "python benchmarks/multiview.py"
    )
    writer.add("people.mp4", found())
    store: PersonStore = writer.pack()

    def mapped() -> tuple[np.ndarray, np.ndarray]:
        at = np.arange(len(frames))
        return store.scores("people.mp4", frames=at), store.masks("people.mp4", frames=at)

    def anew() -> tuple[np.ndarray, np.ndarray]:
        persons = found()
        return persons.scores, persons.masks

    for one, other in zip(mapped(), anew(), strict=True):
        np.testing.assert_array_equal(one, other)
    return {"mapped": mapped, "anew": anew}
