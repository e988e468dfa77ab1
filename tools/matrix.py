"""Runs a matrix of rows, swapped parts and seeds: planned first, resumed after any death, with what failed kept."""

import argparse
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import command

ENGINES = ("local", "ray", "slurm")
TOOLS = Path(__file__).resolve().parent


def parse() -> argparse.Namespace:
    """The command line."""
    parser = command.parser(__doc__)
    parser.add_argument("matrix", help="a matrix: configs/matrices/<name>.py")
    parser.add_argument("--engine", choices=ENGINES, default="local", help="where cells run")
    parser.add_argument("--jobs", type=int, default=command.all_cores(), metavar="N", help="cells at a time")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="CPU threads of a cell")
    parser.add_argument("--dry-run", action="store_true", help="print the plan and stop")
    parser.add_argument("--seeds", type=int, nargs="+", metavar="K", help="these instead of the matrix's")
    parser.add_argument("--smoke", action="store_true", help="the small form of every row")
    parser.add_argument(
        "--retries",
        type=int,
        default=3,
        help="deaths in a row without a new checkpoint, after which a cell failed",
    )
    parser.add_argument(
        "--move-aside", action="store_true", help="move folders with another run's files to work_dirs/aside"
    )
    parser.add_argument(
        "--calibrate", action="store_true", help="measure an epoch of what nothing is known of"
    )
    parser.add_argument("--record", action="store_true", help="fold the rows that are done into metafiles")
    parser.add_argument(
        "--cache",
        metavar="DIR",
        help="read teachers from caches there, built by the cells that need them first",
    )
    parser.add_argument(
        "--no-cohort",
        action="store_true",
        help="a process for each cell, even where several would be faster in one",
    )
    parser.add_argument("--fresh", action="store_true", help="local: a new interpreter a cell, no forks")
    parser.add_argument("--address", help="ray: of a running cluster; default: one of this machine")
    parser.add_argument(
        "--engine-options",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="slurm: submitit's parameters; ray: gpus",
    )
    parser.add_argument("--plain", action="store_true", help="lines instead of a live display")
    return parser.parse_args()


def matrix(arguments: argparse.Namespace) -> int:
    """Plan, show, run, close."""
    from kdbench.matrix.calibrate import calibrate
    from kdbench.matrix.cost import measured
    from kdbench.matrix.files import read_matrix
    from kdbench.matrix.folder import PASSED, Folder
    from kdbench.matrix.plan import clear

    wanted = read_matrix(arguments.matrix, arguments.seeds)
    folder = Folder(wanted.name, arguments.smoke)
    if arguments.dry_run:
        plan = planned(wanted, arguments.smoke, set(folder.read(PASSED) or []), arguments.cache)
        print(described(plan, measured(plan, wanted.configs), arguments.jobs))
        return 0
    folder.claim()
    engine = made_engine(arguments, folder)  # first: it imports while the plan is made
    try:
        passed = set(folder.read(PASSED) or [])
        plan = planned(wanted, arguments.smoke, passed, arguments.cache)
        folder.write(PASSED, sorted(passed))
        costs = measured(plan, wanted.configs)
        for line in calibrate(plan, costs, engine, folder, TOOLS / "train.py") if arguments.calibrate else ():
            print(line)
        print(described(plan, costs, arguments.jobs), flush=True)
        for line in clear(plan, arguments.move_aside):
            print(line)
        return execute(plan, costs, engine, folder, arguments)
    finally:
        engine.close()


def planned(wanted, smoke: bool, passed: set[str], cache: str | None = None):
    """The plan, and what stands in its folders; models that ``passed`` earlier are not tried again."""
    from kdbench.matrix.caches import read_teachers_from
    from kdbench.matrix.plan import judge_all, make_plan

    plan = make_plan(wanted, smoke, passed)
    for line in read_teachers_from(plan, cache) if cache else ():
        print(line)
    judge_all(plan)
    return plan


def described(plan, costs, jobs: int) -> str:
    """The plan as text."""
    from kdbench.matrix.show import plan_text

    return plan_text(
        plan, {key: costs.estimate(cell) for key, cell in plan.cells.items()}, jobs, command.table
    )


def made_engine(arguments: argparse.Namespace, folder):
    """The engine that the arguments ask for."""
    from kdbench.compose import parse_options
    from kdbench.matrix.engines import make_engine

    more = parse_options(arguments.engine_options)
    options: dict = {
        "local": {"fresh": arguments.fresh, **more},
        "ray": {"address": arguments.address, **more},
        "slurm": {"folder": folder.path / "slurm", **more},
    }[arguments.engine]
    return make_engine(arguments.engine, arguments.jobs, arguments.threads, **options)


def execute(plan, costs, engine, folder, arguments: argparse.Namespace) -> int:
    """Run the plan, print how it ended, record if asked to."""
    from kdbench.matrix.run import Run
    from kdbench.matrix.show import closing_text, listener

    with listener(arguments.plain) as show:
        options = {"cohorts": cohorts_of(plan, engine, folder, arguments)}
        run = Run(plan, engine, folder, TOOLS / "train.py", arguments.retries, costs, show, **options)
        with stopping(run):
            code = run.go()
    print(closing_text(run, command.table), flush=True)
    if arguments.record:
        return record(run, arguments.smoke) or code
    return code


def cohorts_of(plan, engine, folder, arguments: argparse.Namespace):
    """Which cells go together, unless that is turned off; a line for each cohort that the first hand-out would have."""
    from kdbench.matrix.cohorts import make_cohorts

    if arguments.no_cohort:
        return None
    cohorts = make_cohorts(plan, engine, folder, TOOLS / "cohort.py")
    for line in cohorts.lines(plan, engine.jobs):
        print(line, flush=True)
    return cohorts


@contextmanager
def stopping(run):
    """Ctrl-C and SIGTERM have cells save and leave; the second one ends them."""
    before = {
        number: signal.signal(number, lambda *_: run.stop()) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def record(run, smoke: bool) -> int:
    """Fold the rows whose every planned seed is done; tools/record.py says of each where it went."""
    from kdbench.matrix.run import DONE_BEFORE, DONE_NOW

    whole: dict[str, bool] = {}
    for key in run.plan.asked:
        folder = str(Path(key).parent)
        whole[folder] = whole.get(folder, True) and run.status[key].state in (DONE_NOW, DONE_BEFORE)
    folders = sorted(folder for folder, is_whole in whole.items() if is_whole)
    if not folders:
        return 0
    allowed = ["--allow-smoke"] if smoke else []
    return subprocess.run([sys.executable, str(TOOLS / "record.py"), *folders, *allowed]).returncode


if __name__ == "__main__":
    sys.exit(command.run(matrix, parse()))
