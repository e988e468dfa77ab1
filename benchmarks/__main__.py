"""Runs the benchmarks, each in a process of its own; prints one table and writes it as JSON.

    python -m benchmarks                              # the usual ones, some twelve minutes
    python -m benchmarks step cache                   # some
    python -m benchmarks --quick --json /tmp/q.json   # a round or two of small things: only whether they run

Candidates take turns; a ratio is the median [quartiles] over turns. docs/performance.md is made by tools/document.py.
"""

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler reports each of its starts otherwise
os.environ.setdefault("OMP_NUM_THREADS", "1")

from .figures import HEADER, Figures, as_json, from_json

ROOT = Path(__file__).resolve().parent.parent
SUITES = (
    "step",
    "cache",
    "cohort",
    "matrix",
    "losses",
    "loader",
    "evaluation",
    "startup",
    "overhead",
    "teacher",
    "seeds",
)
MORE = ("bootstrap", "report")  # run where they are asked for
KNOWN = (*SUITES, *MORE)
PEERS = ("torchdistill", "timm", "nvidia-modelopt", "mmaction2", "scikit-learn")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "suites", nargs="*", metavar="SUITE", help=f"of {', '.join(KNOWN)}; default: {', '.join(SUITES)}"
    )
    parser.add_argument("--quick", action="store_true", help="few rounds; figures mean nothing")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.suites if name not in KNOWN]:
        parser.error(f"no suite is called {', '.join(unknown)}; there is: {', '.join(KNOWN)}")
    return arguments


def figures_of(suite: str, quick: bool) -> Figures:
    """What a suite measures; ``figures`` is all that its module has to have."""
    import torch

    torch.set_num_threads(1)
    return importlib.import_module(f"benchmarks.{suite}").figures(quick)


def measured(suite: str, quick: bool) -> dict[str, Any]:
    """A suite's figures and notes, printed as they come; an error ends the suite and is a note."""
    began, found, code = time.perf_counter(), {"figures": [], "notes": []}, 0
    try:
        for figure in figures_of(suite, quick):
            print(figure if isinstance(figure, str) else "  |  ".join(filter(None, figure.cells)), flush=True)
            if isinstance(figure, str):
                found["notes"].append(figure)
            else:
                found["figures"].append(as_json(figure))
    except Exception as error:  # the other suites, and what this one has, are worth keeping
        traceback.print_exc()
        found["notes"].append(f"ended by {type(error).__name__}: {(str(error).splitlines() or [''])[0]}")
        code = 1
    return {"seconds": round(time.perf_counter() - began, 1), "exit code": code, **found}


def in_a_process(suite: str, quick: bool) -> dict[str, Any]:
    """The same in a process of its own, which nothing else has filled."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "figures.json"
        command = [sys.executable, "-m", "benchmarks", suite, "--json", str(file), *["--quick"] * quick]
        print(f"\n{suite}", flush=True)
        code = subprocess.run(command, cwd=ROOT).returncode
        if not file.is_file():
            return {"seconds": 0.0, "exit code": code, "figures": [], "notes": [f"exit code {code}"]}
        return json.loads(file.read_text("utf-8"))["suites"][suite]


def machine() -> dict[str, Any]:
    """Where and when."""
    from kdbench.engine import environment

    commit, versions = environment.commit(), environment.packages()
    return {
        "date": date.today().isoformat(),
        "processor": environment.processor(),
        "cores": os.cpu_count(),
        "threads": int(os.environ["OMP_NUM_THREADS"]),
        "load average before": [round(value, 2) for value in os.getloadavg()],
        "commit": f"{commit['git_commit']}{' and changes' if commit['git_dirty'] else ''}",
        "python": versions["python"],
        "torch": versions["torch"],
        "numpy": versions["numpy"],
        "peers": {name: installed(name) for name in PEERS},
    }


def installed(package: str) -> str | None:
    """A package's version; None where it is not there."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def table(suites: dict[str, Any]) -> str:
    """All figures as text columns."""
    lines = [list(HEADER)]
    for name, suite in suites.items():
        lines += [
            [f"{name}: {line[0]}", *line[1:]] for line in (from_json(f).cells for f in suite["figures"])
        ]
    widths = [max(len(line[place]) for line in lines) for place in range(len(HEADER))]
    return "\n".join(
        "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def main() -> int:
    """Measure, print, write; 1 if a suite failed."""
    arguments = parse()
    asked, head = arguments.suites or list(SUITES), machine()
    run = measured if len(asked) == 1 else in_a_process
    suites = {name: run(name, arguments.quick) for name in asked}
    head["load average after"] = [round(value, 2) for value in os.getloadavg()]
    if len(asked) > 1:
        print(f"\n{table(suites)}")
    if arguments.json:
        from kdbench.atomic import write_text

        found = {"machine": head, "quick": arguments.quick, "suites": suites}
        write_text(arguments.json, json.dumps(found, indent=1) + "\n")
    return int(any(suite["exit code"] for suite in suites.values()))


if __name__ == "__main__":
    sys.exit(main())
