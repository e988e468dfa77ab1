"""What the figures share: colours that colour-blind readers tell apart, labels that do not overlap, whole files."""

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# Okabe and Ito's palette without yellow and black, which is for text.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
DASHES = ("-", "--", ":", "-.")
ENDINGS = (".png", ".svg", ".pdf", ".jpg", ".webp")


def style(place: int) -> dict[str, Any]:
    """Colour and dashes of the line with this number; no two of the first 24 are alike."""
    return {"color": COLOURS[place % len(COLOURS)], "linestyle": DASHES[place // len(COLOURS) % len(DASHES)]}


def pyplot() -> Any:
    """``matplotlib.pyplot``, drawing to files."""
    from kdbench.spec import MissingPackageError

    try:
        import matplotlib
    except ModuleNotFoundError as error:
        raise MissingPackageError("figures need matplotlib; pip install matplotlib") from error
    matplotlib.use("Agg")
    from matplotlib import pyplot as plotting

    return plotting


def picture(name: str) -> Path:
    """The path of a picture, for argparse: another ending than ``ENDINGS`` is refused before anything is computed."""
    path = Path(name)
    if path.suffix.lower() not in ENDINGS:
        raise argparse.ArgumentTypeError(
            f"'{name}' is no picture; its name ends in one of: {', '.join(ENDINGS)}"
        )
    return path


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """The heights moved as little as is needed for ``gap`` between any two; their order stays.

    >>> spread([1.0, 1.0, 5.0], gap=2.0)
    [0.0, 2.0, 5.0]
    """
    groups: list[tuple[float, list[int]]] = []  # where a group's middle is, and who stands in it from below
    for place in sorted(range(len(heights)), key=lambda i: heights[i]):
        middle, members = heights[place], [place]
        while groups and groups[-1][0] + gap * (len(groups[-1][1]) + len(members)) / 2 > middle:
            before, others = groups.pop()
            members = others + members
            middle = (before * len(others) + middle * (len(members) - len(others))) / len(members)
        groups.append((middle, members))
    moved = list(heights)
    for middle, members in groups:
        for rank, place in enumerate(members):
            moved[place] = middle + gap * (rank - (len(members) - 1) / 2)
    return moved


def save(
    figure: Any, path: Path, header: Sequence[str] | None = None, lines: Sequence[Sequence[Any]] = ()
) -> None:
    """Write a figure and, with a ``header``, its numbers beside it as CSV; each file is whole or not there."""
    from kdbench.atomic import atomic_path

    with atomic_path(path) as to:
        figure.savefig(to, dpi=130, format=path.suffix[1:])
    table = path.with_suffix(".csv")
    if header is not None:
        with atomic_path(table) as to:
            _write_csv(to, header, lines)
    print(f"wrote {path} and {table}" if header is not None else f"wrote {path}")


def _write_csv(path: Path, header: Sequence[str], lines: Sequence[Sequence[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(lines)
