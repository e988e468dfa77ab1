#!/usr/bin/env python
"""The synthetic home, written to files as MultiSensor-Home is: videos with sound, labels, exact person masks."""

import argparse
import json
import sys
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from parallel import all_cores, each

if TYPE_CHECKING:
    import numpy as np

    from kdbench.datasets import Rooms
    from kdbench.datasets.person_writer import PersonWriter

# Everything heavy is imported inside functions, so that --help answers at once.
SPLITS = ("train", "test")
SETTINGS = "rooms.json"
DETECTOR = "rooms"


class Home(NamedTuple):
    """What is written: ``clips`` of each split, each of ``frames`` pictures of ``size`` (height, width) a view."""

    clips: tuple[int, int]
    views: int
    size: tuple[int, int]
    frames: int
    fps: float
    people: int
    overlap: float
    seed: int
    gop: int


class Clip(NamedTuple):
    """One clip; ``number`` counts over both splits."""

    out: Path
    home: Home
    split: str
    index: int

    @property
    def number(self) -> int:
        """Its number in the whole home."""
        return self.index + (self.home.clips[0] if self.split == "test" else 0)


@lru_cache(maxsize=2)
def rooms_of(home: Home, split: str) -> "Rooms":
    """The data set that renders the clips of a split."""
    from kdbench.datasets import Rooms

    return Rooms(
        split=split,
        num_clips=home.clips[SPLITS.index(split)],
        num_views=home.views,
        num_frames=home.frames,
        fps=home.fps,
        frame_size=home.size,
        people=home.people,
        overlap=home.overlap,
        seed=home.seed,
        modalities=("rgb",),
        fields=("visible", "mask"),
    )


def videos_of(clip: Clip) -> list[str]:
    """The path of each view's file below the root; a session is a room."""
    room = rooms_of(clip.home, clip.split).script(clip.index).room
    name = f"{room + 1:02d}/{clip.number:04d}"
    return [f"{name}-View{view + 1}-Part1.mp4" for view in range(clip.home.views)]


def record_of(clip: Clip) -> dict[str, Any]:
    """The entry of a clip in ``<split>.json``; an action that no picture shows is left out.

    An interval begins with the first picture that has the label and ends within the last one, so that a loader that
    rounds to pictures gets exactly the labels that were rendered.
    """
    from kdbench.datasets.rooms.script import ACTIONS, frame_labels, frame_times

    rooms, tricks = rooms_of(clip.home, clip.split), []
    times = frame_times(clip.home.frames, clip.home.fps)
    for event in rooms.script(clip.index).events:
        shown = frame_labels([event], times)[:, event.label].nonzero()[0].tolist()
        if shown:
            start, end = shown[0] / clip.home.fps, (shown[-1] + 0.4) / clip.home.fps
            tricks.append({"start": start, "end": end, "labels": [ACTIONS[event.label]]})
    urls = {f"video_url_{view}": path for view, path in enumerate(videos_of(clip), start=1)}
    return {**urls, "tricks": joined(tricks)}


def joined(tricks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The intervals in order of time; those of one label that meet, two people doing the same, become one."""
    kept: list[dict[str, Any]] = []
    for trick in sorted(tricks, key=lambda trick: (trick["start"], trick["end"])):
        same = next((k for k in kept if k["labels"] == trick["labels"] and k["end"] >= trick["start"]), None)
        if same is None:
            kept.append(trick)
        else:
            same["end"] = max(same["end"], trick["end"])
    return kept


def store(out: Path, home: Home, anew: bool = False) -> "PersonWriter":
    """The store of the exact masks."""
    from kdbench.datasets.person_writer import PersonWriter

    command = f"python tools/prepare/rooms.py {out}"
    settings = json.loads(json.dumps(home._asdict()))
    return PersonWriter(out / "persons" / DETECTOR, DETECTOR, 0, command, settings=settings, anew=anew)


def write_clip(persons: "PersonWriter", clip: Clip) -> bool:
    """Render a clip and write its videos and masks; False if an earlier run has finished them."""
    videos = videos_of(clip)
    if all(is_whole(clip.out / video, clip.home.frames) and persons.has(video) for video in videos):
        return False
    rooms = rooms_of(clip.home, clip.split)
    rendered, heard = rooms.load(clip.index), rooms.waveforms(clip.index)
    for view, video in enumerate(videos):
        write_view(clip, video, rendered["inputs"]["rgb"][view], heard[view])
        persons.add(video, persons_of(rendered, view, clip.home.fps))
    return True


def write_view(clip: Clip, video: str, pictures: "np.ndarray", sound: "np.ndarray") -> None:
    """One mp4, ``pictures`` (T, 3, H, W), with what this camera's microphone hears."""
    from kdbench.atomic import remove_leftovers
    from kdbench.datasets.media.encode import write_video

    path, rate = clip.out / video, round(rooms_of(clip.home, clip.split).clock.rate)
    remove_leftovers(path)
    write_video(path, pictures.transpose(0, 2, 3, 1), clip.home.fps, sound, rate, clip.home.gop)


def persons_of(rendered: dict[str, Any], view: int, fps: float) -> Any:
    """The exact mask of each picture; a person is there where Rooms says visible."""
    from kdbench.datasets.persons import Persons

    return Persons.from_masks(rendered["mask"][view], fps, scores=rendered["visible"][view])


def is_whole(path: Path, frames: int) -> bool:
    """Whether a video is there with all its pictures."""
    from kdbench.datasets.media.video import probe
    from kdbench.spec import InvalidDataError

    try:
        return probe(path, backend="pyav").frames == frames
    except InvalidDataError:
        return False


def write_json(path: Path, content: Any) -> None:
    """A JSON file, there whole or not at all."""
    from kdbench.atomic import remove_leftovers, write_text

    remove_leftovers(path)
    write_text(path, json.dumps(content, indent=1))


def claim(out: Path, home: Home, force: bool) -> None:
    """Note in the folder what it holds; a folder that holds another home is refused, or emptied by ``force``."""
    wanted, path = json.loads(json.dumps(home._asdict())), out / SETTINGS
    there = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    if there not in (None, wanted) and not force:
        raise ValueError(f"{wanted} for {out}; there is: {there}; give another folder, or --force")
    if force:
        for video in out.glob("*/*-View*-Part*.mp4"):
            video.unlink()
    if there != wanted:
        write_json(path, wanted)


def check_dials(home: Home) -> None:
    """Refuse, before anything is written, what mp4 cannot hold: odd sizes, and rates that give odd rates of sound."""
    if any(side % 2 for side in home.size):
        raise ValueError(f"--size {home.size[0]} {home.size[1]}; there is: even numbers")
    rate = rooms_of(home, "train").clock.rate
    if rate != 8000:
        raise ValueError(
            f"--fps {home.fps:g}; there is: 4, 5, 8, 10, 12.5, 20, 25, which divide 8000 Hz of sound"
        )


def write_home(out: Path, home: Home, jobs: int = 1, force: bool = False) -> None:
    """Write the whole home; what an earlier run finished stays unless ``force``."""
    from kdbench.datasets.files import folder_lock

    check_dials(home)
    clips = [Clip(out, home, s, i) for s, n in zip(SPLITS, home.clips, strict=True) for i in range(n)]
    with folder_lock(out):
        claim(out, home, force)
        persons = store(out, home, anew=force)  # one for all processes: they write shards of their own
        made = each(partial(write_clip, persons), clips, jobs, f"writing {out.name}")
        records = {split: [record_of(clip) for clip in clips if clip.split == split] for split in SPLITS}
        for split in SPLITS:
            write_json(out / f"{split}.json", records[split])
        write_json(out / "all_labels.json", [*records["train"], *records["test"]])
        persons.pack()
    verify(out, home, sum(result is True for result in made))


def verify(out: Path, home: Home, made: int) -> None:
    """Read what was written as the data set does, and say what there is."""
    from kdbench.datasets.persons import PersonStore
    from kdbench.spec import InvalidDataError

    persons, count = PersonStore(out / "persons" / DETECTOR), 0
    for split in SPLITS:
        for record in json.loads((out / f"{split}.json").read_text(encoding="utf-8")):
            videos = [record[f"video_url_{view + 1}"] for view in range(home.views)]
            lost = [
                v
                for v in videos
                if not is_whole(out / v, home.frames) or persons.num_frames(v) != home.frames
            ]
            if lost:
                raise InvalidDataError(f"{out / lost[0]} is not whole; run the command again")
            count += len(videos)
    clips = " and ".join(f"{n} {split}" for n, split in zip(home.clips, SPLITS, strict=True))
    print(f"{out}: {clips} clips, {count} videos with sound and masks; {made} clips were rendered now")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; 1 when something is not as it should be."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="A run that was stopped goes on where it was.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--out", type=Path, required=True, help="the folder to write")
    add(
        "--clips",
        type=int,
        nargs=2,
        default=(400, 200),
        metavar=("TRAIN", "TEST"),
        help="clips of each split",
    )
    add("--views", type=int, default=3, help="cameras")
    add(
        "--size",
        type=int,
        nargs=2,
        default=(64, 64),
        metavar=("HEIGHT", "WIDTH"),
        help="pixels, even numbers",
    )
    add("--frames", type=int, default=16, help="pictures of a clip")
    add("--fps", type=float, default=8.0, help="pictures a second")
    add("--people", type=int, default=2, help="at most, 1 or 2")
    add("--overlap", type=float, default=0.3, help="of what the cameras see, 0 to 1")
    add("--seed", type=int, default=0, help="of everything")
    add("--gop", type=int, default=16, help="pictures from one key frame to the next")
    add("--jobs", type=int, default=all_cores(), help="processes")
    add("--force", action="store_true", help="write files anew that an earlier run finished")
    options = vars(parser.parse_args(arguments))
    out, jobs, force = (options.pop(name) for name in ("out", "jobs", "force"))
    options |= {"clips": tuple(options["clips"]), "size": tuple(options["size"])}
    from kdbench.spec import KDBenchError

    try:
        write_home(out, Home(**options), jobs, force)
    except (KDBenchError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
