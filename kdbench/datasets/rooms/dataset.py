"""Rooms, the synthetic multi-view home: made from a seed, nothing stored."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ...registry import DATASETS, near
from ...spec import MULTI_LABEL, DataSpec
from ..base import ClipDataset, Sample, Transform
from ..files import default_cache_dir
from . import body, home, render, sound
from .cache import ClipCache
from .script import ACTIONS, Script, Track, frame_labels, frame_times, walk, write_script

SPLITS = ("train", "val", "test")
MODALITIES = ("rgb", "audio", "skeleton")
FIELDS = ("visible", "mask")
SUPERVISION = ("frame", "sequence")
MIN_VISIBLE_SHARE = 1 / 256  # of a picture's pixels; 4 at 32 x 32
_NOT_IN_CLIPS = ("transforms", "_sets", "_targets")
_NOISE = {"rgb": 0.025, "audio": 0.02, "skeleton": 0.0}
_LIMITS = {
    **dict.fromkeys(
        ("num_clips", "num_views", "num_frames", "num_rooms", "audio_hops", "mel_bins"), (1, None)
    ),
    **dict.fromkeys(("furniture", "seed"), (0, None)),
    **dict.fromkeys(("overlap", "label_noise"), (0.0, 1.0)),
    **dict.fromkeys(("frame_height", "frame_width"), (8, 512)),
    **dict.fromkeys((f"{name}_noise" for name in MODALITIES), (0.0, None)),
    "people": (1, 2),
    "fps": (0.5, 60.0),
}
_SCRIPT, _MOTION, _LOOKS, _CAMERA_NOISE, _MICROPHONES, _JOINT_NOISE, _FURNITURE = range(7)


@DATASETS.register_module()
class Rooms(ClipDataset):
    """One or two people who act in a furnished room, seen and heard by ``num_views`` cameras.

    ``inputs`` holds what ``modalities`` names:

    - ``rgb`` (V, T, 3, H, W) uint8;
    - ``audio`` (V, T, S, M) float32: for each frame S hops of M log-mel bins (log10 power, about -6 to 3);
    - ``skeleton`` (P, T, 20, 3) float32: metres, Kinect v1 joint order, zeros for a person who is not there.

    ``target`` (K,) and ``frame_target`` (T, K) are float32 zeros and ones; ``supervision="sequence"`` leaves
    ``frame_target`` out. ``fields`` adds ``visible`` (V, T) bool, whether people cover at least 1/256 of the picture,
    and ``mask`` (V, T, H, W) bool, the pixels that show a person and what is held.

    A clip is a pure function of (seed, split, index). ``overlap`` goes from cameras with a sector each (0) to cameras
    that share the room (1). ``noise`` gives a standard deviation by modality: rgb of full scale, audio of a clap at
    one metre, skeleton in metres. ``label_noise`` is the chance that a training action carries a wrong label.
    ``props=False`` takes the bright things out of people's hands; actions are then told from posture alone, which is
    much harder to see. ``views`` yields only these cameras. ``cache=True`` keeps what was rendered, shared by forked
    workers; ``"disk"`` keeps it in ``$KDBENCH_CACHE/rooms``, memory-mapped and shared by all runs.
    """

    def __init__(
        self,
        split: str = "train",
        num_clips: int = 1000,
        num_views: int = 3,
        views: Sequence[int] | None = None,
        overlap: float = 0.3,
        num_frames: int = 8,
        fps: float = 4.0,
        frame_size: int | tuple[int, int] = 32,
        people: int = 2,
        props: bool = True,
        furniture: int = 4,
        num_rooms: int = 8,
        audio_hops: int = 8,
        mel_bins: int = 32,
        modalities: Sequence[str] = ("rgb", "audio"),
        fields: Sequence[str] = ("visible",),
        supervision: str = "frame",
        noise: Mapping[str, float] | None = None,
        label_noise: float = 0.0,
        seed: int = 0,
        cache: bool | Literal["disk"] = False,
        transforms: Sequence[dict | Transform] = (),
    ):
        super().__init__(transforms)
        self.height, self.width = (frame_size,) * 2 if isinstance(frame_size, int) else frame_size
        _choose("split", [split], SPLITS)
        _choose("supervision", [supervision], SUPERVISION)
        _choose("modality", modalities, MODALITIES)
        _choose("field", fields, FIELDS)
        _choose("noise of", noise or {}, MODALITIES)
        numbers = dict(num_clips=num_clips, num_views=num_views, num_frames=num_frames, num_rooms=num_rooms)
        numbers |= dict(
            audio_hops=audio_hops, mel_bins=mel_bins, furniture=furniture, seed=seed, people=people
        )
        numbers |= dict(overlap=overlap, label_noise=label_noise, fps=fps)
        numbers |= dict(frame_height=self.height, frame_width=self.width)
        _within_limits({**numbers, **{f"{name}_noise": level for name, level in (noise or {}).items()}})
        self.split, self.num_clips, self.seed = split, num_clips, seed
        self.num_views, self.overlap, self.num_frames, self.fps = num_views, overlap, num_frames, fps
        self.views = _chosen_views(views, num_views)
        self.people, self.props, self.furniture, self.num_rooms = people, props, furniture, num_rooms
        self.modalities, self.fields, self.supervision = tuple(modalities), tuple(fields), supervision
        self.noise, self.label_noise = {**_NOISE, **(noise or {})}, label_noise if split == "train" else 0.0
        self.clock, self.mel_bins = sound.set_clock(num_frames, fps, audio_hops), mel_bins
        self._sets: dict[int, tuple[home.Room, home.Scenery]] = {}
        self._targets: np.ndarray | None = None
        self._cache = self._new_cache(cache) if cache else None

    def _new_cache(self, kind: bool | str) -> ClipCache:
        return ClipCache(self.num_clips, self._layout(), self._folder() if kind == "disk" else None)

    def _folder(self) -> Path:
        """Where clips like these lie, named after all options and the code that makes them."""
        options = {name: value for name, value in vars(self).items() if name not in _NOT_IN_CLIPS}
        code = [path.read_text(encoding="utf-8") for path in sorted(Path(__file__).parent.glob("*.py"))]
        key = hashlib.sha256(repr((sorted(options.items()), code)).encode()).hexdigest()[:16]
        return default_cache_dir() / "rooms" / key

    @property
    def metainfo(self) -> dict[str, Any]:
        """The data set's name and class names, for evaluation and reports."""
        return {"dataset": "Rooms", "classes": ACTIONS}

    @property
    def spec(self) -> DataSpec:
        """The shapes of a sample; ``num_train`` is 0 for the other splits."""
        views, frames, picture = len(self.views), self.num_frames, (self.height, self.width)
        inputs = {
            "rgb": (views, frames, 3, *picture),
            "audio": (views, frames, self.clock.hops, self.mel_bins),
            "skeleton": (self.people, frames, body.NUM_JOINTS, 3),
        }
        fields = {"visible": (views, frames), "mask": (views, frames, *picture)}
        frame_target = {"frame_target": (frames, len(ACTIONS))} if self.supervision == "frame" else {}
        return DataSpec(
            name="Rooms",
            inputs={name: inputs[name] for name in self.modalities},
            num_classes=len(ACTIONS),
            task=MULTI_LABEL,
            num_train=self.num_clips if self.split == "train" else 0,
            fields={
                "target": (len(ACTIONS),),
                "index": (),
                **frame_target,
                **{n: fields[n] for n in self.fields},
            },
        )

    def _layout(self) -> dict[str, tuple[tuple[int, ...], str]]:
        dtypes = {"rgb": "u1", "audio": "f4", "skeleton": "f4", "target": "f4", "frame_target": "f4"}
        shapes = {**self.spec.inputs, **self.spec.fields}
        return {name: (shape, dtypes.get(name, "?")) for name, shape in shapes.items() if name != "index"}

    @property
    def targets(self) -> np.ndarray:
        """The sequence labels ``(N, K)``, from the scripts alone: nothing is rendered."""
        if self._targets is None:
            times = frame_times(self.num_frames, self.fps)
            rows = [frame_labels(self.script(i).events, times).max(axis=0) for i in range(self.num_clips)]
            self._targets = np.stack(rows)
        return self._targets.copy()

    def __len__(self) -> int:
        return self.num_clips

    def script(self, index: int) -> Script:
        """Who does what and when in a clip."""
        if not 0 <= index < self.num_clips:
            raise IndexError(f"clip {index}; there is: 0 to {self.num_clips - 1}")
        seconds = self.num_frames / self.fps
        return write_script(self._rng(index, _SCRIPT), seconds, self.people, self.num_rooms, self.label_noise)

    def load(self, index: int) -> Sample:
        """The rendered clip, from the cache if there is one."""
        arrays = self._cache.get(index) if self._cache else None
        if arrays is None:
            arrays = self._render(index)
            if self._cache:
                self._cache.put(index, arrays)
        inputs = {name: arrays.pop(name) for name in self.modalities}
        return {"inputs": inputs, **arrays}

    def waveforms(self, index: int) -> np.ndarray:
        """What each camera's microphone hears during a clip, ``(V, samples)`` float32 at ``clock.rate`` Hz."""
        script, times = self.script(index), frame_times(self.num_frames, self.fps)
        tracks, _ = self._act(index, script, times, self._set(script.room)[0])
        return self._hear(index, script, times, tracks)[:, self.clock.inside]

    def _render(self, index: int) -> dict[str, np.ndarray]:
        script, times = self.script(index), frame_times(self.num_frames, self.fps)
        room, scenery = self._set(script.room)
        tracks, skeletons = self._act(index, script, times, room)
        props = body.props_held(script.events if self.props else (), skeletons, times)
        labels = frame_labels(script.events, times)
        arrays = {"target": labels.max(axis=0)}
        if self.supervision == "frame":
            arrays["frame_target"] = labels
        if "skeleton" in self.modalities:
            arrays["skeleton"] = self._measured(index, skeletons)
        if "audio" in self.modalities:
            heard = self._hear(index, script, times, tracks)
            arrays["audio"] = sound.log_mel(heard, self.clock, self.mel_bins)
        if "rgb" in self.modalities or self.fields:
            arrays.update(self._film(index, scenery, tracks, skeletons, props))
        return arrays

    def _set(self, number: int) -> tuple[home.Room, home.Scenery]:
        if number not in self._sets:
            room = home.furnish(self._rng(number, _FURNITURE), self.furniture)
            cameras = self._cameras(render.SUPERSAMPLING)
            scenery = home.look(room, cameras, self.height, self.width, render.SUPERSAMPLING)
            self._sets[number] = room, scenery
        return self._sets[number]

    def _cameras(self, scale: int = 1) -> home.Cameras:
        cameras = home.place_cameras(self.num_views, self.overlap, self.width * scale)
        chosen = list(self.views)
        return cameras._replace(position=cameras.position[chosen], axes=cameras.axes[chosen])

    def _act(
        self, index: int, script: Script, times: np.ndarray, room: home.Room
    ) -> tuple[list[Track], np.ndarray]:
        rng = self._rng(index, _MOTION)
        tracks, skeletons = [], []
        for person in range(script.num_people):
            mine = [event for event in script.events if event.person == person]
            track = walk(rng, mine, times, home.WALKABLE, room.obstacles)
            posture = body.posture(mine, track, times, slack=rng.uniform(-0.06, 0.06, (2, 3)))
            tracks.append(track)
            skeletons.append(body.joints(posture, track, height=rng.uniform(0.92, 1.08)))
        return tracks, np.stack(skeletons)

    def _measured(self, index: int, skeletons: np.ndarray) -> np.ndarray:
        noise = self._rng(index, _JOINT_NOISE).standard_normal(skeletons.shape, dtype=np.float32)
        measured = np.zeros((self.people, *skeletons.shape[1:]), dtype=np.float32)
        measured[: len(skeletons)] = skeletons + np.float32(self.noise["skeleton"]) * noise
        return measured

    def _hear(self, index: int, script: Script, times: np.ndarray, tracks: list[Track]) -> np.ndarray:
        middles = [(event.onset + event.offset) / 2 for event in script.events]
        places = [
            [*(np.interp(middle, times, tracks[event.person].place[:, axis]) for axis in range(2)), 1.2]
            for event, middle in zip(script.events, middles, strict=True)
        ]
        cameras, rng = self._cameras(), self._rng(index, _MICROPHONES)
        heard = sound.record(rng, script.events, np.array(places), cameras.position, self.clock)
        for view, waveform in zip(self.views, heard, strict=True):
            hiss = self._rng(index, _MICROPHONES, 1 + view).standard_normal(len(waveform), dtype=np.float32)
            waveform += np.float32(self.noise["audio"]) * hiss
        return heard

    def _film(
        self, index: int, scenery: home.Scenery, tracks: list[Track], skeletons: np.ndarray, props: body.Props
    ) -> dict[str, np.ndarray]:
        rng = self._rng(index, _LOOKS)
        outfits, light = render.dress(rng, len(tracks)), render.light_up(rng, self.num_views)
        size, cameras = (self.height, self.width), self._cameras(render.SUPERSAMPLING)
        figures = render.draw_people(skeletons, props, outfits, cameras, scenery.depth, size)
        shape = (len(self.views), self.num_frames, *size)
        mask = figures.mask(shape)
        found = {"mask": mask, "visible": mask.mean(axis=(2, 3)) >= MIN_VISIBLE_SHARE}
        found = {name: found[name] for name in self.fields}
        if "rgb" not in self.modalities:
            return found
        light = light._replace(colour=light.colour[list(self.views)])
        places = np.stack([track.place for track in tracks])
        pictures = render.compose_pictures(scenery, light, figures, places, self._grain(index))
        return {"rgb": pictures, **found}

    def _grain(self, index: int) -> np.ndarray:
        shape = (self.num_frames, 3, self.height, self.width)
        streams = [self._rng(index, _CAMERA_NOISE, view) for view in self.views]
        grain = np.stack([stream.standard_normal(shape, dtype=np.float32) for stream in streams])
        grain *= np.float32(self.noise["rgb"])
        return grain

    def _rng(self, index: int, stream: int, view: int = 0) -> np.random.Generator:
        """The random stream of one part of one clip; rooms are furnished the same way for every split."""
        split = 0 if stream == _FURNITURE else 1 + SPLITS.index(self.split)
        key = np.array([self.seed, (1 << 63) + split], dtype=np.uint64)  # far from the epochs of a draw
        return np.random.Generator(np.random.Philox(key=key, counter=[0, view, stream, index]))


def _choose(what: str, asked: Collection[Any], known: Collection[Any]) -> None:
    for name in asked:
        if name not in known:
            raise ValueError(f"{what} {name!r} is unknown; {near(str(name), map(str, known))}")


def _chosen_views(views: Sequence[int] | None, num_views: int) -> tuple[int, ...]:
    chosen = tuple(range(num_views)) if views is None else tuple(views)
    _choose("view", chosen, range(num_views))
    if not chosen:
        raise ValueError(f"views=(); name at least one camera of {', '.join(map(str, range(num_views)))}")
    return chosen


def _within_limits(numbers: Mapping[str, float]) -> None:
    for name, value in numbers.items():
        low, high = _LIMITS[name]
        if not (low <= value and (high is None or value <= high)):
            bounds = f"at least {low}" if high is None else f"from {low} to {high}"
            raise ValueError(f"{name}={value}; {name} is {bounds}")
