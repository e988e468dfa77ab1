"""What students cost: parameters, operations, file sizes, latency and accuracy in torch, ONNX and eight bits.

    python tools/analysis/cost.py work_dirs/baseline/utd_{depth,inertial}_cnn/seed0 --json cost.json --csv cost.csv

A place is a row (its own weights if it was trained here, else random ones and no accuracy) or the folder of a run.
Latency is that of one clip after warm-up, on one thread unless asked; eight bits are calibrated on clips of the
training split, and accuracy is that of the whole test split. Without onnx and onnxruntime there is torch alone.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import command
from analysis.export import arrays

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
FIELDS = (
    "row", "seed", "data", "part", "student", "form", "trained", "parameters", "gflops", "gmacs", "file_bytes",
    "p50_ms", "p95_ms", "metric", "score", "test_clips", "difference",
)  # fmt: skip


def parse() -> argparse.Namespace:
    """The command line."""
    parser = command.parser(__doc__.split("\n")[0])
    parser.add_argument("students", nargs="+", metavar="CONFIG_OR_RUN", help="rows, or folders of runs")
    parser.add_argument("--seed", type=int, default=0, help="of configs: whose weights")
    parser.add_argument("--threads", type=command.at_least(1), default=1, help="CPU threads")
    parser.add_argument("--repeats", type=command.at_least(1), default=200, help="forwards that are timed")
    parser.add_argument("--warmup", type=command.at_least(0), default=20, help="forwards before them")
    parser.add_argument(
        "--clock", choices=CLOCKS, default="wall", help="cpu: for a machine that does other things too"
    )
    parser.add_argument(
        "--calibration", type=command.at_least(1), default=64, metavar="N", help="clips for eight bits"
    )
    parser.add_argument(
        "--clips", type=command.at_least(1), metavar="N", help="test clips, evenly taken; default: all"
    )
    parser.add_argument(
        "--no-data", action="store_true", help="random clips; neither eight bits nor accuracy"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures with the machine here")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the lines of the table here")
    return parser.parse_args()


def cost(arguments: argparse.Namespace) -> None:
    """Read every student, measure them, print and write what there is, also where one fails."""
    import torch
    from analysis import student as students

    from kdbench.atomic import refuse_folder

    for file in filter(None, (arguments.json, arguments.csv)):
        refuse_folder(file)
        file.parent.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(arguments.threads)
    found, lines = [students.read(place, arguments.seed) for place in arguments.students], []
    try:
        for student in found:
            for line in measured(student, arguments):
                lines.append(line)
    finally:
        if lines:
            circumstances = how(arguments)
            show(lines, circumstances)
            write(arguments, lines, circumstances)


def write(arguments: argparse.Namespace, lines: list[dict[str, Any]], circumstances: dict[str, Any]) -> None:
    """The files that were asked for, each whole or not there."""
    from kdbench.atomic import write_text

    if arguments.json:
        write_text(arguments.json, json.dumps({**circumstances, "lines": lines}, indent=1) + "\n")
    if arguments.csv:
        write_text(arguments.csv, command.csv_text(lines))


def how(arguments: argparse.Namespace) -> dict[str, Any]:
    """What the figures depend on beside the networks."""
    from importlib.metadata import PackageNotFoundError, version

    from kdbench.engine import environment

    versions = environment.packages()
    for name in ("onnx", "onnxruntime"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "absent"
    options = ("threads", "repeats", "warmup", "clock", "calibration")
    return {
        "machine": environment.processor(),
        "date": date.today().isoformat(),
        "packages": {name: versions[name] for name in ("python", "torch", "onnx", "onnxruntime")},
        **{name: getattr(arguments, name) for name in options},
    }


def measured(student: Any, arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """A line for torch, one for ONNX, one for eight bits, as far as they can be had."""
    from analysis import student as students

    from kdbench.evaluation import gflops, gmacs, parameters

    clip = students.blank_clip(student) if arguments.no_data else next(students.clips(student, "test", 1))[0]
    values, parts = list(clip.values()), student.config.row.parts
    same = {
        "row": student.row,
        "seed": student.seed,
        **{"data": parts.get("data"), "part": parts.get("student")},
        "student": type(student.network).__name__,
        "trained": student.weights is not None,
        "parameters": parameters(student.network),
        "gflops": gflops(student.network, *values),
        "gmacs": gmacs(student.network, *values),
    }
    with tempfile.TemporaryDirectory() as folder:
        for found in forms(student, clip, arguments, Path(folder)):
            yield {**dict.fromkeys(FIELDS), **same, **found}


def forms(student: Any, clip: Any, arguments: argparse.Namespace, folder: Path) -> Iterator[dict[str, Any]]:
    """Torch, then what ONNX makes of it; why it makes nothing is printed."""
    from kdbench.edge import Session, export, quantise
    from kdbench.edge.onnx_file import Logits
    from kdbench.spec import IncompatibleError, MissingPackageError

    network = Logits(student.network)
    yield form("torch", lambda inputs: network(*inputs.values()), student, clip, arguments, student.weights)
    plain, small = folder / "student.onnx", folder / "student-int8.onnx"
    try:
        difference = export(student.network, [clip, *some(student, "test", 8, arguments)], plain)
        session = as_network(Session(plain, arguments.threads))
        yield {**form("onnx", session, student, clip, arguments, plain), "difference": difference}
        if arguments.no_data:
            return
        quantise(plain, small, map(arrays, some(student, "train", arguments.calibration, arguments)))
        session = as_network(Session(small, arguments.threads))
        yield form("onnx int8", session, student, clip, arguments, small)
    except (IncompatibleError, MissingPackageError) as error:
        print(f"{student.row}: {error}", file=sys.stderr)


def some(student: Any, split: str, count: int, arguments: argparse.Namespace) -> Iterator[Any]:
    """Clips of a split without their targets; none without data."""
    from analysis import student as students

    if not arguments.no_data:
        yield from (clip for clip, _ in students.clips(student, split, count))


def as_network(session: Any) -> Callable[[Any], Any]:
    """An ONNX file that takes and gives tensors."""
    import torch

    return lambda inputs: torch.from_numpy(session({name: value.numpy() for name, value in inputs.items()}))


def form(
    name: str, call: Callable, student: Any, clip: Any, arguments: argparse.Namespace, file: Path | None
) -> dict[str, Any]:
    """Latency, size and, of a trained student, accuracy of one form."""
    import torch

    from kdbench.evaluation import timed

    with torch.no_grad():
        clock = CLOCKS[arguments.clock]
        time = timed(lambda: call(clip), arguments.repeats, arguments.warmup, clock)
        found = {} if arguments.no_data or not student.weights else scored(call, student, arguments.clips)
    size = file.stat().st_size if file else None
    return {"form": name, "file_bytes": size, "p50_ms": time.p50, "p95_ms": time.p95, **found}


def scored(call: Callable, student: Any, limit: int | None) -> dict[str, Any]:
    """Top-1 accuracy of single-label rows, mAP over classes of multi-label ones, in percent, on test clips."""
    import torch
    from analysis import student as students

    from kdbench.evaluation import mean_average_precision, topk_accuracy
    from kdbench.spec import DataSpec

    pairs = [(call(clip), target) for clip, target in students.clips(student, "test", limit)]
    logits, targets = (torch.cat(column) for column in zip(*pairs, strict=True))
    is_single = DataSpec(**student.config.model.data).task == "single-label"
    score = topk_accuracy(logits, targets) if is_single else mean_average_precision(logits, targets)
    metric = "top1" if is_single else "mAP_C"
    return {"metric": metric, "score": 100 * float(score), "test_clips": len(targets)}


def show(lines: list[dict[str, Any]], circumstances: dict[str, Any]) -> None:
    """The table, and under it how it was measured."""
    from rich.console import Console
    from rich.table import Table

    columns = ("row", "form", "params", "GFLOPs", "GMACs", "file KiB", "p50 ms", "p95 ms", "score")
    table = Table(*columns)
    for column in table.columns[2:]:
        column.justify = "right"
    for line in lines:
        score = "" if line["score"] is None else f"{line['metric']} {line['score']:.1f}"
        size = "" if line["file_bytes"] is None else f"{line['file_bytes'] / 1024:,.0f}"
        operations = [f"{line[name]:.3f}" for name in ("gflops", "gmacs")]
        times = [f"{line[name]:.2f}" for name in ("p50_ms", "p95_ms")]
        name = f"{line['row']} seed {line['seed']}" + ("" if line["trained"] else " (untrained)")
        table.add_row(name, line["form"], f"{line['parameters']:,}", *operations, size, *times, score)
    Console(width=None if sys.stdout.isatty() else 150).print(table)
    packages = ", ".join(f"{name} {number}" for name, number in circumstances["packages"].items())
    print(
        f"one clip, {circumstances['threads']} thread(s), {circumstances['repeats']} forwards after "
        f"{circumstances['warmup']} to warm up, {circumstances['clock']} clock; {circumstances['machine']}; {packages}"
    )


if __name__ == "__main__":
    sys.exit(command.run(cost, parse()))
