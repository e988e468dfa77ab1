"""Writes the leaderboard: one HTML page of all results that opens from disk and needs no network."""

import argparse
import sys
from pathlib import Path

import command

WORK_DIRS = Path("work_dirs")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = command.parser(__doc__)
    parser.add_argument(
        "folders",
        nargs="*",
        type=Path,
        metavar="work_dirs",
        help="folders with runs; default: work_dirs, if any",
    )
    parser.add_argument("--out", type=Path, default=Path("report.html"), help="the page")
    parser.add_argument(
        "--configs", type=Path, default=Path("configs"), help="the folder whose metafiles hold recorded rows"
    )
    parser.add_argument(
        "--costs", type=Path, metavar="FILE", help="latencies, as tools/analysis/cost.py --json wrote them"
    )
    parser.add_argument("--no-recorded", action="store_true", help="only runs, no row of a metafile")
    return parser.parse_args()


def report(arguments: argparse.Namespace) -> None:
    """Read, lay out, write in one step."""
    from kdbench.atomic import write_text
    from kdbench.report import UNMEASURED, page, payload, read_latencies, read_runs
    from kdbench.zoo import read_metafile

    folders = arguments.folders or [WORK_DIRS] * WORK_DIRS.is_dir()
    paths = [] if arguments.no_recorded else sorted(arguments.configs.glob("*/metafile.yml"))
    if not folders and not paths:
        raise ValueError(
            f"there is neither {WORK_DIRS} nor {arguments.configs}/*/metafile.yml; name a folder of runs"
        )
    latencies = read_latencies(arguments.costs) if arguments.costs else UNMEASURED
    runs = read_runs(folders)
    print(f"read {len(runs)} runs and {len(paths)} metafiles", file=sys.stderr)
    tree = payload(runs, [read_metafile(path) for path in paths], latencies)
    text = page(tree)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    write_text(arguments.out, text)
    size = len(text.encode()) / 1e6
    print(f"wrote {arguments.out}: {len(tree['rows'])} rows, {len(runs)} runs, {size:.1f} MB")


if __name__ == "__main__":
    sys.exit(command.run(report, parse()))
