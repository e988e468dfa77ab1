"""Scores over the epochs by row: the mean over seeds and a band, as a picture and as a table of numbers.

    python tools/analysis/curves.py work_dirs/baseline/rooms5_asl_v work_dirs/{kd,vicokd}/rooms5_asl_av_asl_v

A RUN is a row's folder, which holds seed*, or one seed's. What is drawn was measured while training: on validation
clips where the data have them, else on test clips. Numbers behind a name are of the last epoch.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import command
from analysis import figure

BANDS = ("deviation", "interval", "range")


class Run(NamedTuple):
    """One seed: its ``result.yml`` and the score at some epochs."""

    folder: Path
    result: Mapping[str, Any]
    scores: Mapping[int, float]


class Curve(NamedTuple):
    """A row: the scores of all its seeds ``[epoch][seed]`` at ``epochs``, and steps an epoch."""

    label: str
    epochs: list[int]
    scores: list[list[float]]
    steps: float
    runs: list[Run]


def parse() -> argparse.Namespace:
    """The command line."""
    parser = command.parser(__doc__.split("\n")[0])
    parser.add_argument(
        "runs", nargs="+", type=Path, metavar="RUN", help="work_dirs/<row>, or one seed of it"
    )
    parser.add_argument("--metric", help="default: the metric that the runs name as theirs")
    parser.add_argument("--labels", nargs="+", metavar="NAME", help="names of the rows, in their order")
    parser.add_argument("--band", default="deviation", choices=BANDS, help="around the mean over seeds")
    parser.add_argument("--x", default="epoch", choices=("epoch", "step"), help="what lies below the curves")
    parser.add_argument(
        "--out", type=figure.picture, default=Path("curves.png"), help="the picture; the table has its name"
    )
    return parser.parse_args()


def main(arguments: argparse.Namespace) -> None:
    """Read, draw, write."""
    rows = [read_row(folder, arguments.metric) for folder in arguments.runs]
    metric = arguments.metric or rows[0][0].result["primary"]
    labels = arguments.labels or names([row[0].result for row in rows])
    if len(labels) != len(rows):
        raise ValueError(f"{len(labels)} labels; there is: {len(rows)} rows, a label each")
    curves = [curve(label, row) for label, row in zip(labels, rows, strict=True)]
    header = ("row", "label", "epoch", "step", "seeds", f"mean {metric}", "low", "high", "each seed")
    figure.save(draw(curves, metric, arguments), arguments.out, header, numbers(curves, arguments.band))


def read_row(folder: Path, metric: str | None) -> list[Run]:
    """All ended runs of a row."""
    found = sorted(folder.glob("seed*/result.yml")) or sorted(folder.glob("result.yml"))
    if not found:
        listed = (
            ", ".join(sorted(path.name for path in folder.glob("*"))) if folder.is_dir() else "no such folder"
        )
        raise ValueError(
            f"no ended run in {folder}; there is: {listed or 'nothing'}; train it with tools/train.py"
        )
    return [read_run(path.parent, metric) for path in found]


def read_run(folder: Path, metric: str | None) -> Run:
    """What a run left: its result and, in history.json, a score a validation."""
    from kdbench.engine.lineage import read_result
    from kdbench.engine.log import HISTORY
    from kdbench.records import RESULT_FILE
    from kdbench.registry import near

    result = read_result(folder / RESULT_FILE)
    if result.get("status") != "ok" or not (folder / HISTORY).is_file():
        raise ValueError(
            f"{folder} holds no training that ended well; there is: status {result.get('status')!r}"
        )
    history = json.loads((folder / HISTORY).read_text(encoding="utf-8"))
    known = [name.removeprefix("val/") for name in history if name.startswith("val/") and name != "val/epoch"]
    metric = metric or result["primary"]
    if metric not in known:
        raise ValueError(f"{folder} has no curve of '{metric}'; {near(metric, known)}")
    epochs = [round(epoch) for epoch in history["val/epoch"]]
    return Run(folder, result, dict(zip(epochs, history[f"val/{metric}"], strict=True)))


def names(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """What a reader calls the rows: the method, the lone student, its teacher; the row's name where two are alike."""
    taught = {
        origin.get("row") for result in results for origin in (result["teacher"] or {}).get("origins", ())
    }
    distilled = {result["config"]["parts"].get("student") for result in results if result["distiller"]}
    called = []
    for result in results:
        part = result["config"]["parts"].get("student")
        lone = "student alone" if part in distilled else part
        called.append(result["distiller"] or ("teacher" if result["row"] in taught else lone))
    return [
        label if called.count(label) == 1 else result["row"]
        for label, result in zip(called, results, strict=True)
    ]


def curve(label: str, runs: list[Run]) -> Curve:
    """The epochs at which all seeds have a score."""
    epochs = sorted(set.intersection(*(set(run.scores) for run in runs)))
    if not epochs:
        raise ValueError(f"the seeds of {runs[0].result['row']} have no epoch in common; train them alike")
    steps = runs[0].result["steps"] / runs[0].result["epochs"]
    return Curve(label, epochs, [[run.scores[epoch] for run in runs] for epoch in epochs], steps, runs)


def band(scores: Sequence[float], kind: str) -> tuple[float, float]:
    """The ends of the band around the mean of some seeds; both are the score of one seed."""
    from kdbench.statistics import mean_and_std, student_interval

    mean, deviation = mean_and_std(scores)
    if kind == "range" or deviation is None:
        return min(scores), max(scores)
    return (
        (mean - deviation, mean + deviation)
        if kind == "deviation"
        else student_interval(scores) or (mean, mean)
    )


def numbers(curves: Sequence[Curve], kind: str) -> list[list[Any]]:
    """A line for each row and epoch."""
    return [
        [
            one.runs[0].result["row"],
            one.label,
            epoch,
            round(epoch * one.steps),
            " ".join(str(run.result["seed"]) for run in one.runs),
            *(round(value, 4) for value in (sum(scores) / len(scores), *band(scores, kind))),
            " ".join(f"{score:.4f}" for score in scores),
        ]
        for one in curves
        for epoch, scores in zip(one.epochs, one.scores, strict=True)
    ]


def draw(curves: Sequence[Curve], metric: str, arguments: argparse.Namespace) -> Any:
    """The picture: a line a row, its name at its end."""
    plotting = figure.pyplot()
    drawn, axes = plotting.subplots(figsize=(8.5, 4.8), layout="constrained")
    for place, one in enumerate(curves):
        at = [epoch * (one.steps if arguments.x == "step" else 1) for epoch in one.epochs]
        lows, highs = zip(*(band(scores, arguments.band) for scores in one.scores), strict=True)
        look = {**figure.style(place), "marker": "o" if len(at) == 1 else None}
        axes.plot(at, [sum(scores) / len(scores) for scores in one.scores], linewidth=1.9, **look)
        axes.fill_between(at, lows, highs, color=look["color"], alpha=0.15, linewidth=0)
    is_validation = all(run.result["selected"] for one in curves for run in one.runs)
    split = "validation" if is_validation else "test"
    data = curves[0].runs[0].result["data"]
    axes.set(
        xlabel=arguments.x, ylabel=f"{metric} on {split} clips", title=title(curves, data, arguments.band)
    )
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    name_lines(drawn, axes, curves)
    return drawn


def title(curves: Sequence[Curve], data: Mapping[str, Any], kind: str) -> str:
    """Which data, how many seeds, what the band is."""
    counts = sorted({len(one.runs) for one in curves})
    seeds = "one seed" if counts == [1] else f"{' or '.join(map(str, counts))} seeds"
    kinds = {
        "deviation": "one standard deviation",
        "interval": "95 % interval of the mean",
        "range": "all seeds",
    }
    shown = "" if counts == [1] else f"; band: {kinds[kind]}"
    protocol = f" ({data['protocol']})" if data.get("protocol") else ""
    return f"{data['name']}{protocol}, {seeds}{shown}"


def name_lines(drawn: Any, axes: Any, curves: Sequence[Curve]) -> None:
    """Write each name at the end of its line, moved apart where ends meet."""
    drawn.canvas.draw()  # settles the limits
    low, high = axes.get_ylim()
    ends = [sum(one.scores[-1]) / len(one.scores[-1]) for one in curves]
    heights = figure.spread(ends, gap=0.055 * (high - low))
    for place, (one, end, height) in enumerate(zip(curves, ends, heights, strict=True)):
        axes.annotate(
            f"{one.label} {end:.1f}",
            xy=(axes.lines[place].get_xdata()[-1], end),
            xytext=(1.02, (height - low) / (high - low)),
            textcoords="axes fraction",
            color=figure.style(place)["color"],
            va="center",
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": figure.style(place)["color"],
                "linewidth": 0.6,
                "alpha": 0.6,
            },
        )


if __name__ == "__main__":
    sys.exit(command.run(main, parse()))
