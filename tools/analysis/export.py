"""Writes the student of a row or a run as an ONNX file for one clip at a time, checked against torch.

    python tools/analysis/export.py work_dirs/kd/utd_skeleton_cnn_inertial_cnn/seed0 --to student.onnx --int8

A clip of random numbers and eight test clips check the file; ``--random`` leaves the test clips out, as a machine
without the data needs it. Eight bits need clips of the training split in any case.
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import command


def parse() -> argparse.Namespace:
    """The command line."""
    parser = command.parser(__doc__.split("\n")[0])
    parser.add_argument("student", metavar="CONFIG_OR_RUN", help="a row, or the folder of a run")
    parser.add_argument("--to", type=Path, required=True, metavar="FILE.onnx", help="the file to write")
    parser.add_argument("--seed", type=int, default=0, help="of a config: whose weights")
    parser.add_argument(
        "--int8", action="store_true", help="also FILE-int8.onnx, calibrated on training clips"
    )
    parser.add_argument(
        "--calibration", type=command.at_least(1), default=64, metavar="N", help="clips for --int8"
    )
    parser.add_argument(
        "--random", action="store_true", help="check with random numbers, not with test clips"
    )
    return parser.parse_args()


def export(arguments: argparse.Namespace) -> None:
    """Read, write, check, say what was written."""
    from analysis import student as students

    from kdbench.atomic import refuse_folder

    for target in (arguments.to, *([eight_bits(arguments.to)] if arguments.int8 else [])):
        refuse_folder(target)
    student = students.read(arguments.student, arguments.seed)
    if student.weights is None:
        print(f"{student.row} was not trained here; its weights are random", file=sys.stderr)
    print(f"wrote {in_full(student, arguments.to, arguments.random)}")
    if arguments.int8:
        print(f"wrote {in_eight_bits(student, arguments.to, arguments.calibration)}")


@contextmanager
def on_disk(target: Path) -> Iterator[None]:
    """What the system refuses is a message rather than a traceback."""
    try:
        yield
    except OSError as error:
        raise ValueError(f"{target} was not written: {error}") from error


def in_full(student, target: Path, is_random: bool) -> str:
    """The file in single precision, its size, and how near to torch it is."""
    from analysis import student as students

    from kdbench.edge import export as write

    checked = [students.blank_clip(student)]
    if not is_random:
        checked += [clip for clip, _ in students.clips(student, "test", limit=8)]
    with on_disk(target):
        found = write(student.network, checked, target)
    return f"{target}: {size(target)}; logits of {len(checked)} clips differ from torch's by {found:.1e} of the largest"


def eight_bits(source: Path) -> Path:
    """Where the quantised file of ``source`` stands: beside it."""
    return source.with_name(f"{source.stem}-int8.onnx")


def in_eight_bits(student, source: Path, count: int) -> str:
    """The quantised file beside ``source``, and its size."""
    from analysis import student as students

    from kdbench.edge import quantise

    target = eight_bits(source)
    with on_disk(target):
        quantise(source, target, (arrays(clip) for clip, _ in students.clips(student, "train", limit=count)))
    return f"{target}: {size(target)}"


def arrays(clip) -> dict:
    """A clip's tensors as arrays."""
    return {name: value.numpy() for name, value in clip.items()}


def size(path: Path) -> str:
    """A file's size in words."""
    return f"{path.stat().st_size / 1024:,.0f} KiB"


if __name__ == "__main__":
    sys.exit(command.run(export, parse()))
