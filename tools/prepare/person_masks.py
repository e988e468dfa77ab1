#!/usr/bin/env python
"""Where people are in every frame of a tree of videos, found by a detector and kept for training.

Examples::

    python tools/prepare/person_masks.py --detector onnx --model yolox_nano_416.onnx --root /data/home1
    python tools/prepare/person_masks.py --detector mmdet --model rtmdet.pth --root /data/home1 --stride 5
    python tools/prepare/person_masks.py --detector depth --root /data/utd_mhad
"""

import argparse
import functools
import multiprocessing
import shlex
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

if TYPE_CHECKING:
    import numpy as np

    from kdbench.datasets.person_writer import PersonWriter
    from kdbench.datasets.persons import Persons, PersonStore

# Everything heavy is imported inside functions, so that --help answers at once.
VIDEOS = (".mp4", ".avi", ".mkv", ".mov", ".webm")
DEPTH_FILES = "depth_*.npz"  # of tools/prepare/utd_mhad.py
BLOCK_BYTES, BLOCK_FRAMES = 128 * 2**20, 64  # of frames that are decoded together
PICTURES = 12  # frames on a contact sheet


class Source(NamedTuple):
    """A video, or a clip of a file of depth clips: ``frames`` from frame ``first`` on."""

    key: str
    path: Path
    first: int
    frames: int
    fps: float
    block: int


class Block(NamedTuple):
    """Some frames of a source, by their numbers."""

    source: Source
    numbers: "np.ndarray"


def find_sources(root: Path, options: argparse.Namespace) -> tuple[list[Source], list[str]]:
    """All that the detector can read below a folder, and what is wrong with the rest."""
    from rich.console import Console
    from rich.progress import track

    from kdbench.spec import InvalidDataError

    paths = sorted(path for path in root.rglob("*") if is_data(path, root, options.detector))
    if not paths:
        also = f" and no {DEPTH_FILES}" if options.detector == "depth" else ""
        raise InvalidDataError(f"{root} holds no {', '.join(VIDEOS)}{also}; name the folder with the videos")
    sources, errors = [], []
    for path in track(paths, description="counting frames", console=Console(stderr=True), transient=True):
        key = path.relative_to(root).as_posix()
        try:
            sources += depth_clips(key, path, options.fps) if path.suffix == ".npz" else [video(key, path)]
        except InvalidDataError as error:
            errors.append(str(error))
    return sources, errors


def is_data(path: Path, root: Path, detector: str) -> bool:
    """Whether a detector reads a file; not what lies in a store or in somebody's hidden folder."""
    parts = path.relative_to(root).parts
    is_clips = detector == "depth" and path.match(DEPTH_FILES)
    is_hidden = parts[0] == "persons" or any(part.startswith(".") for part in parts)
    return (path.suffix.lower() in VIDEOS or is_clips) and not is_hidden and path.is_file()


def video(key: str, path: Path) -> Source:
    """The source in a video file."""
    from kdbench.datasets.media import probe

    info = probe(path)
    block = max(1, min(BLOCK_FRAMES, BLOCK_BYTES // (info.height * info.width * 3)))
    return Source(key, path, 0, info.frames, info.fps, block)


def depth_clips(key: str, path: Path, fps: float) -> list[Source]:
    """The clips in a file that tools/prepare/utd_mhad.py wrote, called ``<file>/<clip>``."""
    import numpy as np

    clips = depth_file(path)
    ends = np.cumsum(clips["length"]).tolist()
    return [
        Source(f"{key}/{name}", path, start, end - start, fps, BLOCK_FRAMES)
        for name, start, end in zip(clips["name"].tolist(), [0, *ends[:-1]], ends, strict=True)
    ]


@functools.lru_cache(maxsize=1)
def depth_file(path: Path) -> "dict[str, np.ndarray]":
    """The arrays of a file of depth clips."""
    from kdbench.datasets.files import read_npz

    return read_npz(path, ("depth", "length", "name"), "make it again with tools/prepare/utd_mhad.py")


def read(block: Block) -> "np.ndarray":
    """The frames of a block: ``(T, H, W, 3)`` uint8 RGB, or ``(T, H, W)`` depth."""
    from kdbench.datasets.media import read_frames

    source = block.source
    if source.path.suffix == ".npz":
        return depth_file(source.path)["depth"][source.first + block.numbers]
    return read_frames(source.path, block.numbers).permute(0, 2, 3, 1).numpy()


def build_detector(options: argparse.Namespace) -> Any:
    """The detector that the command line names."""
    from kdbench.detection import DepthDetector, MMDetDetector, OnnxDetector

    threshold = {} if options.threshold is None else {"threshold": options.threshold}
    if options.detector == "depth":
        return DepthDetector(**threshold)
    if options.model is None:
        raise ValueError(f"--detector {options.detector} needs --model FILE")
    if options.detector == "onnx":
        return OnnxDetector(options.model, size=options.size, **threshold)
    config = {} if options.config is None else {"config": options.config}
    return MMDetDetector(options.model, device=options.device, **config, **threshold)


class Worker:
    """One process's detector."""

    current: "Worker"

    def __init__(self, options: argparse.Namespace):
        self.options, self.detector = options, build_detector(options)

    @classmethod
    def start(cls, options: argparse.Namespace) -> None:
        """Begin a process of several, with one thread each."""
        import torch
        from parallel import end_with_parent

        from kdbench.compat import load_opencv

        torch.set_num_threads(1)
        if options.detector != "depth":
            load_opencv().setNumThreads(1)
        end_with_parent()
        cls.current = cls(options)

    @classmethod
    def work(cls, block: Block) -> "Persons | str":
        """What the process's own detector finds in a block."""
        return cls.current.find(block)

    def find(self, block: Block) -> "Persons | str":
        """The people in a block, or what is wrong with its video."""
        import numpy as np

        from kdbench.datasets.persons import Persons
        from kdbench.spec import InvalidDataError

        try:
            found = self.detector(read(block))
        except InvalidDataError as error:
            return str(error)
        boxes, masks = [each.boxes for each in found], [each.mask for each in found]
        exact = None if masks[0] is None else np.stack(masks)
        grid, share = tuple(self.options.grid), self.options.share
        return Persons.from_boxes(boxes, block.source.fps, exact, grid, share)


def blocks_of(sources: list[Source], stride: int) -> list[Block]:
    """The frames to detect people in, cut into blocks."""
    import numpy as np

    blocks = []
    for source in sources:
        numbers = np.arange(0, source.frames, stride)
        blocks += [
            Block(source, numbers[at : at + source.block]) for at in range(0, len(numbers), source.block)
        ]
    return blocks


def held(persons: "Persons", frames: int, stride: int) -> "Persons":
    """Each frame of a video with what was found in the nearest frame that the detector saw."""
    import numpy as np

    return persons.take(np.minimum((np.arange(frames) + stride // 2) // stride, len(persons.scores) - 1))


def results(worker: Worker, blocks: list[Block], jobs: int) -> Iterator["tuple[Block, Persons | str]"]:
    """What is found in each block, in order, by this process or several."""
    if jobs == 1:
        yield from ((block, worker.find(block)) for block in blocks)
        return
    context = multiprocessing.get_context("spawn")  # a fork would share OpenCV's threads
    with ProcessPoolExecutor(jobs, context, Worker.start, (worker.options,)) as pool:
        yield from zip(blocks, pool.map(Worker.work, blocks), strict=True)


def detect(sources: list[Source], writer: "PersonWriter", worker: Worker) -> list[str]:
    """Write the shard of each source as soon as its last block is done; returns what went wrong."""
    from rich.console import Console
    from rich.progress import Progress

    from kdbench.datasets.persons import Persons

    stride, errors, parts = worker.options.stride, [], []
    blocks = blocks_of(sources, stride)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("finding people", total=sum(len(block.numbers) for block in blocks))
        for block, found in results(worker, blocks, worker.options.jobs):
            progress.advance(task, len(block.numbers))
            parts.append(found)
            if block.numbers[-1] + stride >= block.source.frames:
                wrong = [part for part in parts if isinstance(part, str)]
                errors += wrong[:1]
                if not wrong:
                    writer.add(block.source.key, held(Persons.joined(parts), block.source.frames, stride))
                parts = []
    return errors


def prepare(options: argparse.Namespace, command: str) -> list[str]:
    """Make the store, or what is missing of it; returns what went wrong."""
    from kdbench.datasets.files import folder_lock
    from kdbench.datasets.person_writer import PersonWriter

    worker = Worker(options)
    detector, folder = worker.detector, store_folder(options)
    settings = {**detector.settings, "stride": options.stride, "share": options.share}
    with folder_lock(folder.parent):
        writer = PersonWriter(
            folder, detector.name, detector.threshold, command, tuple(options.grid), settings, options.force
        )
        sources, errors = find_sources(options.root, options)
        missing = [source for source in sources if not writer.has(source.key)]
        print(f"{options.root}: {len(sources)} videos, {len(sources) - len(missing)} of them done before")
        began = time.perf_counter()
        errors += detect(missing, writer, worker)
        seconds = time.perf_counter() - began
        store = writer.pack()
    report(store, missing, options.stride, seconds)
    if options.picture:
        draw_all(store, sources, options.picture)
    return errors


def store_folder(options: argparse.Namespace) -> Path:
    """Where the store is made; that of mmdet has the name of its network, such as rtmdet."""
    from kdbench.detection.mmdet import CONFIG

    network = Path(options.config or CONFIG).stem.split("_")[0]
    name = options.name or (network if options.detector == "mmdet" else options.detector)
    return options.out or options.root / "persons" / name


def report(store: "PersonStore", new: list[Source], stride: int, seconds: float) -> None:
    """Print what was found, and how fast."""
    seen = sum(-(-source.frames // stride) for source in new)
    if new:
        print(f"{seen} frames in {seconds:.1f} s, {seen / seconds:.1f} a second")
    shares = {video: float((store.scores(video) > 0).mean()) for video in store.videos}
    empty = [video for video, share in shares.items() if not share]
    frames = sum(store.num_frames(video) for video in store.videos)
    with_people = sum(share * store.num_frames(video) for video, share in shares.items())
    print(f"people in {with_people / max(frames, 1):.1%} of {frames} frames of {len(shares)} videos")
    if empty:
        print(f"nobody in {len(empty)} videos: {', '.join(empty[:5])}{' ...' if len(empty) > 5 else ''}")
    print(f"{store.folder} is complete; read it with PersonStore({str(store.folder)!r})")


def draw_all(store: "PersonStore", sources: list[Source], folder: Path) -> None:
    """A contact sheet of each video."""
    from rich.console import Console
    from rich.progress import track

    folder.mkdir(parents=True, exist_ok=True)
    drawn = [source for source in sources if source.key in store]
    for source in track(drawn, description="drawing", console=Console(stderr=True), transient=True):
        draw(store, source, folder / (source.key.replace("/", "_") + ".png"))
    print(f"wrote {len(drawn)} contact sheets into {folder}")


def draw(store: "PersonStore", source: Source, path: Path) -> None:
    """Some frames of a video with its boxes, their scores and the cells of its mask."""
    import matplotlib
    import numpy as np

    matplotlib.use("Agg")
    from matplotlib import pyplot

    numbers = np.unique(np.linspace(0, source.frames - 1, PICTURES).round().astype(int))
    boxes, masks = store.boxes(source.key, frames=numbers), store.masks(source.key, frames=numbers)
    figure, axes = pyplot.subplots(3, PICTURES // 3, figsize=(16, 10), squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    frames = read(Block(source, numbers))
    for axis, number, frame, people, mask in zip(axes.flat, numbers, frames, boxes, masks, strict=False):
        axis.set_title(f"{number}: {len(people)}", fontsize=9)
        draw_people(axis, frame, people, mask)
    figure.suptitle(source.key)
    figure.tight_layout(pad=0.5)
    figure.savefig(path, dpi=80)
    pyplot.close(figure)


def draw_people(axis: Any, frame: "np.ndarray", people: "np.ndarray", mask: "np.ndarray") -> None:
    """One frame: cells tinted, boxes outlined."""
    import numpy as np
    from matplotlib.patches import Rectangle

    height, width = frame.shape[:2]
    axis.imshow(frame, cmap="gray", extent=(0, width, height, 0))
    tint = np.zeros((*mask.shape, 4))
    tint[mask] = (1.0, 0.1, 0.6, 0.35)
    axis.imshow(tint, extent=(0, width, height, 0), interpolation="nearest")
    for x0, y0, x1, y1, score in people * np.array([width, height, width, height, 1]):
        axis.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor="yellow"))
        axis.text(x0, y0, f"{score:.2f}", color="yellow", fontsize=7, va="bottom")


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], epilog="A run that was stopped goes on where it was."
    )
    add = parser.add_argument
    add("--detector", required=True, choices=("mmdet", "onnx", "depth"))
    add("--root", required=True, type=Path, help="the folder with the videos, at any depth")
    add("--model", "--checkpoint", help="ONNX file; checkpoint of mmdet, or none for random weights")
    add("--config", help="mmdet: a file, or the name of a config that it ships (default: RTMDet-tiny)")
    add("--name", help="of the store, below ROOT/persons (default: onnx, depth, or mmdet's network: rtmdet)")
    add("--out", type=Path, help="the store's folder, where ROOT cannot be written")
    add("--threshold", type=float, help="confidence that counts (default: 0.3; depth: any value above 0)")
    add(
        "--stride",
        type=int,
        default=1,
        help="detect in every n-th frame; the others take the nearest one's people",
    )
    add("--grid", type=int, nargs=2, default=(12, 16), metavar=("ROWS", "COLUMNS"), help="cells of a mask")
    add("--share", type=float, default=0.5, help="of a cell that must show a person (default: 0.5)")
    add("--size", type=int, help="onnx: side of the network's input, if its file does not tell")
    add("--fps", type=float, default=30.0, help="depth: frame rate of .npz files (default: 30, Kinect)")
    add("--device", help="mmdet: such as cuda:1 (default: a GPU if there is one)")
    add("--jobs", type=int, default=1, help="processes (default: 1)")
    add("--picture", type=Path, metavar="DIR", help="draw a contact sheet of each video")
    add("--force", action="store_true", help="find people anew in all videos")
    options = parser.parse_args(arguments)
    for name in ("stride", "jobs"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} {getattr(options, name)}; it is at least 1")
    if min(options.grid) < 1 or not 0 < options.share <= 1:
        parser.error("--grid takes numbers from 1 on, --share one above 0 and up to 1")
    return options


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; 1 when something is not as it should be."""
    options = parse_arguments(arguments)
    from kdbench.spec import KDBenchError

    given = sys.argv[1:] if arguments is None else arguments
    try:
        errors = prepare(options, f"python tools/prepare/person_masks.py {shlex.join(given)}")
    except (ValueError, KDBenchError) as error:
        errors = [str(error)]
    for error in errors:
        print(f"error: {error}", file=sys.stderr)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
