"""Where networks look in each view: their maps side by side, and how much of them falls on people.

    python tools/analysis/attention.py configs/baseline/rooms_view_v.py configs/vicokd/rooms_view_av_view_v.py

A CONFIG is a trained row, whose student is looked into. All see the test clips of the first row. Writes OUT (a few
clips), OUT-share.png and OUT-share.csv (the share of attention on person pixels over many clips, where the data have
masks of people). A vision transformer shows its attention, a CNN gradient x activation for the clip's classes.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import command
from analysis import figure

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

SUPPLEMENT = ("visible", "mask")
CLIPS_AT_ONCE = 8


class Network(NamedTuple):
    """A trained student, what it is called, and the step before it."""

    label: str
    model: Any
    prepare: Any
    modality: str


class Shares(NamedTuple):
    """The share on people and the people's area, a number a clip, in percent; frames that had no map at all."""

    share: "np.ndarray"
    area: "np.ndarray"
    blank: int


def parse() -> argparse.Namespace:
    """The command line."""
    parser = command.parser(__doc__.split("\n")[0])
    parser.add_argument("configs", nargs="+", metavar="CONFIG", help="trained rows")
    parser.add_argument(
        "--weights", nargs="+", metavar="FILE", help="default: what each row's training wrote"
    )
    parser.add_argument("--seed", type=int, help="of all rows; default: the configs', 0")
    parser.add_argument("--smoke", action="store_true", help="the rows' small form")
    parser.add_argument("--labels", nargs="+", metavar="NAME", help="names of the networks, in their order")
    parser.add_argument("--index", type=int, nargs="+", default=[0], help="which test clips are drawn")
    parser.add_argument("--frames", type=int, default=3, help="at most this many frames of a clip are drawn")
    parser.add_argument("--clips", type=int, default=64, help="so many test clips are counted for the share")
    parser.add_argument(
        "--way", default="rollout", choices=("rollout", "last"), help="of a vision transformer"
    )
    parser.add_argument("--cam", default="elementwise", choices=("elementwise", "pooled"), help="of a CNN")
    parser.add_argument("--rows", type=int, default=6, help="a CNN's map has at least this many rows")
    parser.add_argument("--out", type=figure.picture, default=Path("attention.png"), help="the picture")
    return parser.parse_args()


def main(arguments: argparse.Namespace) -> None:
    """Load, look, draw, count."""
    configs = [composed(path, arguments) for path in arguments.configs]
    for name in ("labels", "weights"):
        given = getattr(arguments, name)
        if given is not None and len(given) != len(configs):
            raise ValueError(f"{len(given)} {name}; there is: {len(configs)} rows, one each")
    networks = [network(place, config, arguments) for place, config in enumerate(configs)]
    dataset = test_clips(configs[0], {name for one in networks for name in one.model.reads})
    outside = [index for index in arguments.index if not 0 <= index < len(dataset)]
    if outside:
        raise ValueError(f"no test clip {outside[0]}; there is: 0 to {len(dataset) - 1}")
    figure.save(draw(networks, [dataset[index] for index in arguments.index], arguments), arguments.out)
    if "mask" not in dataset[0]:
        print("the data have no masks of people: the share of attention on them is not counted")
        return
    shares = count(networks, dataset, arguments)
    header = (
        "network",
        "clips",
        "share on people %",
        "low",
        "high",
        "area of people %",
        "frames without a map",
    )
    path = arguments.out.with_name(f"{arguments.out.stem}-share.png")
    figure.save(draw_shares(networks, shares), path, header, share_lines(networks, shares))


def composed(path: str, arguments: argparse.Namespace) -> Any:
    """The config of a row."""
    from kdbench.compose import compose

    return compose(path, smoke=arguments.smoke, seed=arguments.seed)


def network(place: int, config: Any, arguments: argparse.Namespace) -> Network:
    """A row's trained student in eval mode; it must have an encoder of pictures."""
    from test import own_weights

    import kdbench.backbones  # noqa: F401  (fills the registry)
    from kdbench.models import Preprocessor
    from kdbench.models.role import Role
    from kdbench.spec import DataSpec
    from kdbench.weights import load_weights

    data = DataSpec(**config.model.data)
    role = Role("student", config.model.student, data)
    encoders = getattr(role.model, "encoders", {})
    pictures = [name for name in encoders if name in role.reads and len(data.inputs[name]) == 5]
    if not pictures:
        raise ValueError(
            f"{config.row.path}: {type(role.model).__name__} reads {', '.join(role.reads)}; maps are for networks "
            "with an encoder of the pictures (V, T, C, H, W) of several views"
        )
    file = arguments.weights[place] if arguments.weights else own_weights(config)
    load_weights(role.model, file or role.weights)
    model = role.model.eval()
    model.reads = role.reads
    label = arguments.labels[place] if arguments.labels else name_of(config)
    return Network(label, model, Preprocessor(**(config.model.get("preprocessor") or {})), pictures[0])


def name_of(config: Any) -> str:
    """The row's method, or its network where nothing is distilled."""
    distiller = config.model.get("distiller")
    kind = distiller.type if distiller else config.row.parts.get("student", config.model.student.type)
    return str(getattr(kind, "__name__", kind))


def test_clips(config: Any, reads: set[str]) -> Any:
    """The row's test split with what is read and, where the data set knows them, masks of people."""
    import inspect

    import kdbench.datasets  # noqa: F401  (fills the registry)
    from kdbench.registry import DATASETS, build, find

    settings = config.test_dataloader.dataset.to_dict()
    known = inspect.signature(find(DATASETS, settings["type"])).parameters
    if "modalities" in known:
        settings["modalities"] = tuple(name for name in config.model.data["inputs"] if name in reads)
    if "fields" in known:
        settings["fields"] = tuple(dict.fromkeys((*settings.get("fields", ()), *SUPPLEMENT)))
    return build(DATASETS, settings)


def maps(one: Network, samples: Sequence[dict[str, Any]], arguments: argparse.Namespace) -> "Tensor":
    """Where a network looks in these clips, ``(B, V, T, H, W)``, each picture's map summing to one."""
    import torch
    from analysis.maps import picture_maps

    inputs = {
        name: torch.stack([torch.as_tensor(sample["inputs"][name]) for sample in samples])
        for name in one.model.reads
    }
    target = torch.stack([torch.as_tensor(sample["target"]) for sample in samples])
    values = one.prepare({"inputs": inputs})["inputs"]
    return picture_maps(
        one.model,
        [values[name] for name in one.model.reads],
        one.modality,
        target,
        arguments.way,
        arguments.cam,
        arguments.rows,
    )


def count(networks: Sequence[Network], dataset: Any, arguments: argparse.Namespace) -> list[Shares]:
    """The share on people in each clip's pictures that show some."""
    import torch
    from analysis.maps import share_on

    total = min(arguments.clips, len(dataset))
    found: list[list[Any]] = [[] for _ in networks]
    for begin in range(0, total, CLIPS_AT_ONCE):
        samples = [dataset[index] for index in range(begin, min(begin + CLIPS_AT_ONCE, total))]
        for one, kept in zip(networks, found, strict=True):
            there = maps(one, samples, arguments)
            mask = torch.stack([fitted(sample["mask"], there.shape[-2:]) for sample in samples])
            kept.append((*share_on(there, mask), mask.any(-1).any(-1)))
        print(f"\r{begin + len(samples)} of {total} clips", end="", file=sys.stderr)
    print(file=sys.stderr)
    return [summary(*(torch.cat(column) for column in zip(*kept, strict=True))) for kept in found]


def summary(share: "Tensor", area: "Tensor", shown: "Tensor") -> Shares:
    """Means over the pictures of a clip, of clips that have some."""
    per_clip = [100 * values.flatten(1).nanmean(1) for values in (share, area)]
    is_there = per_clip[0].isfinite()
    blank = int((shown & ~share.isfinite()).sum())
    return Shares(per_clip[0][is_there].numpy(), per_clip[1][is_there].numpy(), blank)


def fitted(mask: Any, size: Sequence[int]) -> "Tensor":
    """A mask ``(V, T, h, w)``, maybe coarse, at the size of the pictures."""
    import torch
    import torch.nn.functional as F

    mask = torch.as_tensor(mask)
    return mask if mask.shape[-2:] == tuple(size) else F.interpolate(mask.float(), size=tuple(size)) > 0.5


def share_lines(networks: Sequence[Network], shares: Sequence[Shares]) -> list[list[Any]]:
    """The table of shares."""
    return [
        [
            one.label,
            len(s.share),
            *(round(float(x), 3) for x in (s.share.mean(), *ends(s), s.area.mean())),
            s.blank,
        ]
        for one, s in zip(networks, shares, strict=True)
    ]


def ends(shares: Shares) -> tuple[float, float]:
    """The 95 % interval of the mean share over clips."""
    from kdbench.statistics import student_interval

    values = shares.share.tolist()
    return student_interval(values) or (values[0], values[0])


def draw_shares(networks: Sequence[Network], shares: Sequence[Shares]) -> Any:
    """A point a network; the line is what a network that looks everywhere alike would have."""
    drawn, axes = figure.pyplot().subplots(figsize=(7, 1.1 + 0.5 * len(networks)), layout="constrained")
    for place, found in enumerate(shares):
        low, high = ends(found)
        colour = figure.style(place)["color"]
        axes.plot([low, high], [place, place], color=colour, linewidth=2.5)
        axes.plot(found.share.mean(), place, "o", color=colour, markersize=7)
        axes.annotate(
            f"{found.share.mean():.1f} %", (high, place), (6, 0), textcoords="offset points", va="center"
        )
    area = sum(found.area.mean() for found in shares) / len(shares)
    axes.axvline(area, color="grey", linestyle="--", linewidth=1)
    axes.annotate(f" people's area: {area:.1f} %", (area, len(networks) - 0.45), color="grey", fontsize=9)
    axes.set_yticks(range(len(networks)), [one.label for one in networks])
    axes.set(
        ylim=(len(networks) - 0.3, -0.6),
        xlabel="share of attention on person pixels, % (95 % interval over clips)",
    )
    axes.margins(x=0.12)
    axes.set_xlim(left=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return drawn


def draw(
    networks: Sequence[Network], samples: Sequence[dict[str, Any]], arguments: argparse.Namespace
) -> Any:
    """For each clip and view a row: some frames, each beside the maps of all networks."""
    import numpy as np

    there = [maps(one, samples, arguments).numpy() for one in networks]
    views, total = there[0].shape[1:3]
    at = np.unique(np.linspace(0, total - 1, min(arguments.frames, total)).round().astype(int))
    clips = [f"clip {index}\n" if len(samples) > 1 else "" for index in arguments.index]
    drawn, axes = sheet(len(samples) * views, len(at), 1 + len(networks), there[0].shape[-2:])
    for row, (clip, view) in enumerate(np.ndindex(len(samples), views)):
        axes[row, 0, 0].set_ylabel(f"{clips[clip]}view {view}")
        for group, frame in zip(axes[row], at, strict=True):
            draw_frame(
                group,
                samples[clip],
                networks[0].modality,
                [one[clip, view, frame] for one in there],
                view,
                frame,
            )
    for group, frame in zip(axes[0], at, strict=True):
        for axis, text in zip(group, (f"frame {frame}", *(one.label for one in networks)), strict=True):
            axis.set_title(text, fontsize=9)
    return drawn


def sheet(rows: int, groups: int, pictures: int, size: tuple[int, int]) -> tuple[Any, Any]:
    """Axes ``(rows, groups, pictures)`` for pictures of this size, the groups a little apart."""
    import numpy as np

    ratio = size[1] / size[0]
    wide, high = 1.25 * max(ratio, 0.7), 1.25 * max(ratio, 0.7) / ratio
    ratios = ([1.0] * pictures + [0.12]) * groups
    inches = wide * sum(ratios[:-1]) + 0.4, high * rows + 0.3
    options = {"width_ratios": ratios[:-1], "wspace": 0.03, "hspace": 0.03}
    place = {"left": 0.4 / inches[0], "right": 1, "bottom": 0.01, "top": 1 - 0.28 / inches[1]}
    drawn, axes = figure.pyplot().subplots(
        rows, len(ratios) - 1, figsize=inches, squeeze=False, gridspec_kw={**options, **place}
    )
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
    for axis in axes[:, pictures :: pictures + 1].flat:
        axis.remove()
    kept = [column for column in range(len(ratios) - 1) if column % (pictures + 1) != pictures]
    return drawn, np.reshape(axes[:, kept], (rows, groups, pictures))


def draw_frame(
    axes: Sequence[Any], sample: dict[str, Any], modality: str, there: Sequence[Any], view: int, frame: int
) -> None:
    """A picture, then each network's map over it; people are outlined."""
    import numpy as np

    picture = np.asarray(sample["inputs"][modality])[view, frame]
    is_colour = len(picture) == 3
    outline = (
        np.asarray(fitted(sample["mask"], picture.shape[-2:]))[view, frame] if "mask" in sample else None
    )
    axes[0].imshow(np.moveaxis(picture, 0, -1) if is_colour else picture[0], cmap="gray")
    for axis, one in zip(axes[1:], there, strict=True):
        axis.imshow(picture.mean(0) if is_colour else picture[0], cmap="gray")
        strength = (one - one.min()) / max(one.max() - one.min(), 1e-12)
        axis.imshow(strength, cmap="inferno", alpha=0.15 + 0.7 * strength, vmin=0, vmax=1)
        if not one.any():
            axis.text(0.5, 0.5, "no map", transform=axis.transAxes, color="white", ha="center", va="center")
    for axis in axes:
        outlined(axis, outline)


def outlined(axis: Any, mask: Any) -> None:
    """A person's outline, dark below light, so that it is seen on any ground."""
    if mask is not None and mask.any() and not mask.all():
        axis.contour(mask, levels=[0.5], colors="black", linewidths=2.0)
        axis.contour(mask, levels=[0.5], colors="#7FFFD4", linewidths=1.0)


if __name__ == "__main__":
    sys.exit(command.run(main, parse()))
