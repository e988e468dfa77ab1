"""A contact sheet of a data set: views x time with masks, labels, skeletons, depth and spectrograms.

Examples::

    python tools/browse_dataset.py configs/_base_/datasets/rooms.py --index 0 7 --out sheet.png
    python tools/browse_dataset.py --rooms frame_size=128 num_views=4 overlap=0.2 --split test
"""

import argparse
import ast
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

BONES = (0, 1), (1, 2), (2, 3), (1, 4), (4, 5), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (10, 11)
BONES += (3, 12), (12, 13), (13, 14), (14, 15), (3, 16), (16, 17), (17, 18), (18, 19)  # Kinect v1, 20 joints


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Draw a contact sheet of a data set.")
    parser.add_argument(
        "config", nargs="?", help="config with SPLIT_dataloader.dataset; leave out with --rooms"
    )
    parser.add_argument("--rooms", nargs="*", metavar="KEY=VALUE", help="the synthetic home with these dials")
    parser.add_argument("--split", default="train", help="train, val or test (default: train)")
    parser.add_argument("--index", type=int, nargs="+", default=[0], help="which samples (default: 0)")
    parser.add_argument(
        "--frames", type=int, default=8, help="at most this many frames of a clip (default: 8)"
    )
    parser.add_argument(
        "--out", default="contact_sheet.png", help="picture to write (default: contact_sheet.png)"
    )
    arguments = parser.parse_args()
    if (arguments.config is None) == (arguments.rooms is None):
        parser.error("give a config or --rooms, one of them")
    return arguments


def main() -> None:
    """Build the data set, draw the samples, write the picture."""
    arguments = parse_arguments()
    config = from_config(arguments) if arguments.config else rooms_config(arguments.rooms, arguments.split)

    import kdbench.datasets  # noqa: F401  (registers the data sets)
    from kdbench.registry import DATASETS, build
    from kdbench.spec import KDBenchError

    try:
        dataset = build(DATASETS, config)
    except (ValueError, KDBenchError) as error:
        raise SystemExit(str(error)) from error
    outside = [index for index in arguments.index if not 0 <= index < len(dataset)]
    if outside:
        raise SystemExit(f"no sample {outside[0]}; there is: 0 to {len(dataset) - 1}")
    samples = [dataset[index] for index in arguments.index]
    draw_sheet(samples, dataset.metainfo["classes"], arguments.frames, arguments.out)
    print(f"wrote {arguments.out}")


def from_config(arguments: argparse.Namespace) -> dict[str, Any]:
    """The data set of one split, as the config says it."""
    from mmengine.config import Config

    config = Config.fromfile(arguments.config)
    loader = config.get(f"{arguments.split}_dataloader")
    if not loader:
        there = ", ".join(key for key in config if key.endswith("_dataloader")) or "none"
        raise SystemExit(f"{arguments.config} has no {arguments.split}_dataloader; there is: {there}")
    return loader["dataset"].to_dict()


def rooms_config(dials: list[str], split: str) -> dict[str, Any]:
    """``key=value`` words as a config of the synthetic home that yields all it can."""
    import inspect

    from kdbench.datasets import Rooms
    from kdbench.registry import near

    known = set(inspect.signature(Rooms).parameters)
    values: dict[str, Any] = {
        "modalities": ("rgb", "audio", "skeleton"),
        "fields": ("visible", "mask"),
        "split": split,
    }
    for dial in dials:
        key, equals, value = dial.partition("=")
        if not equals:
            raise SystemExit(f"--rooms {dial}; a dial is written key=value")
        if key not in known:
            raise SystemExit(f"dial '{key}' is unknown; {near(key, known)}")
        try:
            values[key] = ast.literal_eval(value)
        except (SyntaxError, ValueError):
            values[key] = value
    return {"type": "Rooms", **values}


def draw_sheet(samples: list[dict[str, Any]], classes: Any, frames: int, path: str) -> None:
    """Draw every sample below the one before."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    strips = [strip for sample in samples for strip in strips_of(sample, classes, frames)]
    heights = [height for height, _ in strips]
    figure, axes = pyplot.subplots(
        len(strips), 1, figsize=(1.9 * frames, 1.1 * sum(heights)), height_ratios=heights, squeeze=False
    )
    for axis, (_, draw) in zip(axes[:, 0], strips, strict=True):
        axis.set(xticks=[], yticks=[])
        draw(axis)
    figure.tight_layout(pad=0.4, h_pad=0.5)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


Strip = tuple[float, Callable[[Any], None]]


def strips_of(sample: dict[str, Any], classes: Any, frames: int) -> Iterator[Strip]:
    """One strip a view and modality: its relative height and the function that draws it."""
    import numpy as np

    inputs = {name: np.asarray(value) for name, value in sample["inputs"].items()}
    title = f"{sample['index']}: {', '.join(names_of(sample['target'], classes)) or 'nothing'}"
    for name in ("image", "rgb", "depth", "skeleton", "audio"):
        if name in inputs and not (name == "audio" and "rgb" in inputs):
            for strip in _DRAWN[name](inputs, sample, classes, frames):
                yield strip[0], titled(strip[1], title)
                title = ""
    for name in sorted(set(inputs) - {*_DRAWN, *_SECOND_VIEWS}):
        yield 1.0, titled(lambda axis, value=inputs[name], name=name: draw_signal(axis, value, name), title)
        title = ""


def titled(draw: Callable[[Any], None], title: str) -> Callable[[Any], None]:
    """The same strip below a title."""
    return lambda axis: (draw(axis), title and axis.set_title(title, fontsize=10, loc="left"))


def names_of(target: Any, classes: Any) -> list[str]:
    """The classes that a target names: an index (negative: unlabelled) or a row of zeros and ones."""
    import numpy as np

    target = np.asarray(target)
    labels = [int(target)] if target.ndim == 0 else np.flatnonzero(target > 0.5).tolist()
    return ["unlabelled" if i < 0 else classes[i] if classes else str(i) for i in labels]


def chosen(total: int, frames: int) -> list[int]:
    """At most ``frames`` frame numbers, evenly spread over the clip."""
    import numpy as np

    return np.linspace(0, total - 1, min(frames, total)).round().astype(int).tolist()


def rgb_strips(inputs: dict[str, Any], sample: dict[str, Any], classes: Any, frames: int) -> Iterator[Strip]:
    """Pictures of each view with the mask outlined, and what its microphone hears below."""
    rgb = inputs["rgb"] if inputs["rgb"].ndim == 5 else inputs["rgb"][None]
    yield from view_strips(rgb, inputs.get("audio"), sample, classes, frames)


def view_strips(views: Any, audio: Any, sample: dict[str, Any], classes: Any, frames: int) -> Iterator[Strip]:
    """Pictures (V, T, C, H, W) of each view, and what its microphone hears, if there is one."""
    import numpy as np

    at = chosen(views.shape[1], frames)
    strip = np.moveaxis(views[:, at], 2, -1)  # (V, T, H, W, C)
    mask = np.asarray(sample["mask"])[:, at] if "mask" in sample else [None] * len(strip)
    visible = np.asarray(sample["visible"])[:, at] if "visible" in sample else [None] * len(strip)
    labels = (
        [names_of(row, classes) for row in np.asarray(sample["frame_target"])[at]]
        if "frame_target" in sample
        else []
    )
    for view, pictures in enumerate(strip):
        yield (
            1.9,
            lambda axis, a=(pictures, mask[view], visible[view], labels if view == 0 else []): draw_pictures(
                axis, *a
            ),
        )
        if audio is not None and audio.ndim == 4:
            yield 0.5, lambda axis, heard=audio[view]: draw_spectrogram(axis, heard)


def image_strips(
    inputs: dict[str, Any], sample: dict[str, Any], classes: Any, frames: int
) -> Iterator[Strip]:
    """A picture and its second view, if it has one, at the left of a strip."""
    import numpy as np

    views = [inputs[name].transpose(1, 2, 0) for name in ("image", *_SECOND_VIEWS) if name in inputs]
    blank = np.full_like(views[0], 255)
    pictures = np.stack(views + [blank] * (frames - len(views)))
    yield 1.9, lambda axis: draw_pictures(axis, pictures, None, None, [])


def depth_strips(
    inputs: dict[str, Any], sample: dict[str, Any], classes: Any, frames: int
) -> Iterator[Strip]:
    """Closeness in each frame with the person outlined, or the renderings of each view."""
    depth = inputs["depth"]
    if depth.ndim == 5:
        yield from view_strips(depth, None, sample, classes, frames)
        return
    at = chosen(len(depth), frames)
    yield 1.9, lambda axis: draw_pictures(axis, depth[at, 0], depth[at, 1] > 0.5, None, [])


def skeleton_strips(
    inputs: dict[str, Any], sample: dict[str, Any], classes: Any, frames: int
) -> Iterator[Strip]:
    """Stick figures from the front, one a frame; every person in a colour."""
    skeleton = inputs["skeleton"]
    people = skeleton if skeleton.ndim == 4 else skeleton[None]
    yield 1.4, lambda axis: draw_skeletons(axis, people[:, chosen(people.shape[1], frames)])


def audio_strips(
    inputs: dict[str, Any], sample: dict[str, Any], classes: Any, frames: int
) -> Iterator[Strip]:
    """The spectrogram of each microphone."""
    for heard in inputs["audio"].reshape(-1, *inputs["audio"].shape[-3:]):
        yield 0.6, lambda axis, heard=heard: draw_spectrogram(axis, heard)


_DRAWN = {
    "image": image_strips,
    "rgb": rgb_strips,
    "depth": depth_strips,
    "skeleton": skeleton_strips,
    "audio": audio_strips,
}
_SECOND_VIEWS = ("image_strong",)


def draw_pictures(axis: Any, pictures: Any, mask: Any, visible: Any, labels: list[list[str]]) -> None:
    """Frames side by side; a mask is outlined, frames without a visible person are crossed out."""
    import numpy as np

    height, width = pictures.shape[1:3]
    row = np.concatenate(list(pictures), axis=1)
    axis.imshow(row, cmap="magma", interpolation="nearest", aspect="auto")
    if mask is not None:
        outline = np.concatenate(list(mask), axis=1)
        if outline.any() and not outline.all():
            axis.contour(outline, levels=[0.5], colors="lime", linewidths=0.7)
    for i in range(len(pictures)):
        axis.axvline(i * width - 0.5, color="white", linewidth=1.5)
        if visible is not None and not visible[i]:
            axis.text(
                (i + 0.97) * width, 0.97 * height, "unseen", color="red", fontsize=6, ha="right", va="bottom"
            )
        if i < len(labels):
            axis.text(i * width, 0, "\n".join(labels[i]), color="yellow", fontsize=7, va="top", ha="left")


def draw_skeletons(axis: Any, people: Any) -> None:
    """Stick figures of (P, T, J, 3); the vertical axis is the one along which head and feet differ most."""
    import numpy as np

    up = int(np.abs(np.nan_to_num(people[0, :, 0] - people[0, :, 19])).mean(axis=0).argmax())
    across = 0 if up != 0 else 1
    sign = np.sign((people[0, :, 0, up] - people[0, :, 19, up]).mean()) or 1.0
    reach = np.ptp(people[0, :, :, up]) or 1.0
    for person, colour in zip(people, ("tab:blue", "tab:orange"), strict=False):
        for frame, joints in enumerate(person):
            if joints.any():
                x = (joints[:, across] - person[:, 3, across].mean()) / reach + frame * 1.2
                for a, b in BONES:
                    axis.plot([x[a], x[b]], sign * joints[[a, b], up], color=colour, linewidth=1.5)
    axis.set_xlim(-0.6, 1.2 * people.shape[1] - 0.6)


def draw_spectrogram(axis: Any, heard: Any) -> None:
    """Log-mel bins over time, low notes at the bottom; ``heard`` is (T, S, M) or (S, M)."""
    axis.imshow(heard.reshape(-1, heard.shape[-1]).T, origin="lower", aspect="auto", cmap="viridis")


def draw_signal(axis: Any, value: Any, name: str) -> None:
    """Any other modality as curves over time."""
    axis.plot(value.reshape(len(value), -1)[:, :12], linewidth=0.8)
    axis.set_ylabel(name, fontsize=8)


if __name__ == "__main__":
    main()
