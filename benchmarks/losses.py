"""What each distiller's loss costs, forward and backward, beside KD's: time, peak memory, trained parameters.

Then NST, CRD and RKD's angles against their definitions written out, and every loss that torchdistill, timm or
nvidia-modelopt has too against theirs. Value and gradients are equal before any time is printed. Times are CPU seconds
of one process, candidates take turns; quote the ratios: median [quartiles] over turns.

    nice -n 5 python benchmarks/losses.py --only NST
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler reports each of its starts otherwise
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run as a script, it is in no package

import torch

from benchmarks.allocations import peak_bytes
from benchmarks.interleaved import interleaved, ratio
from benchmarks.losses_cases import CIFAR, Case, agree, ours
from benchmarks.losses_naive import CRD_NEGATIVES, check_draws, draws, pairs
from benchmarks.losses_peers import INSTALL, NOT_COMPARED, imported, peers
from kdbench.engine import environment
from kdbench.registry import near

MIB = 2**20
FEW = 3  # turns of what takes ten seconds a call
Figures = dict[str, Any]


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--threads", type=int, default=1, help="above 1 elapsed time is measured, not CPU time"
    )
    parser.add_argument("--repeats", type=int, default=7, help="turns of each candidate")
    parser.add_argument("--only", metavar="NAME", help="one distiller, by its class")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    arguments = parser.parse_args()
    if arguments.only not in (None, *ours()):
        parser.error(f"no distiller is called '{arguments.only}'; {near(arguments.only, ours())}")
    return arguments


class Clock:
    """How the candidates of one run take turns."""

    def __init__(self, threads: int, repeats: int):
        self.repeats, self.now = repeats, time.process_time if threads == 1 else time.perf_counter

    def __call__(self, repeats: int | None = None, **candidates: Callable) -> dict[str, list[float]]:
        return interleaved(candidates, rounds=repeats or self.repeats, inner=None, clock=self.now)


def beside_kd(clock: Clock, names: list[str]) -> Figures:
    """Each method against KD in the same turns."""
    kd, methods = Case("KD").call, {}
    kd_bytes = peak_bytes(kd)
    print(f"\n{'distiller':14}{'time / KD':>26}{'ms':>10}{'peak / KD':>12}{'MiB':>10}{'parameters':>13}")
    for name in names:
        case = Case(name)
        seconds = clock(**{name: case.call, "KD": kd})
        time_ratio, held = ratio(seconds, name, "KD"), peak_bytes(case.call)
        spent = statistics.median(seconds[name])
        methods[name] = {
            "time": float(f"{time_ratio.median:.3g}"),
            "memory": float(f"{held / kd_bytes:.3g}"),
            "parameters": case.parameters,
            "seconds": float(f"{spent:.3g}"),
            "bytes": held,
        }
        print(
            f"{name:14}{time_ratio!s:>26}{1e3 * spent:10.2f}{held / kd_bytes:12.3g}{held / MIB:10.2f}"
            f"{case.parameters:13,}",
            flush=True,
        )
    return methods


def against_definitions(clock: Clock, only: str | None) -> Figures:
    """Ours against the definition written out: how many times as fast, and both peaks."""
    found = {}
    for make in pairs(only):
        pair = make()
        agree(pair.what, pair.ours, pair.other)
        seconds = clock(FEW, ours=pair.ours, other=pair.other)
        faster, held = ratio(seconds, "other", "ours"), (peak_bytes(pair.ours), peak_bytes(pair.other))
        target = f" (target {pair.target:g})" if pair.target else ""
        print(
            f"{pair.what}: {faster} times as fast{target}; peak {held[0] / MIB:.1f} and {held[1] / MIB:.1f} MiB"
        )
        found[pair.what] = {"times_as_fast": float(f"{faster.median:.3g}"), "bytes": list(held)}
    if only in (None, "CRD"):
        both = draws()
        for draw in both.values():
            check_draws(CIFAR, draw(), CRD_NEGATIVES)
        faster = ratio(clock(**both), "permutations", "ours")
        print(f"CRD: drawing the negatives on the device / a permutation a clip: {faster} times as fast")
        found["CRD: drawing the negatives"] = {"times_as_fast": float(f"{faster.median:.3g}")}
    return found


def against_peers(clock: Clock, only: str | None) -> Figures:
    """Ours over theirs, with equal hyper-parameters; below 1 ours is faster."""
    found: Figures = {}
    modules = {peer.package: imported(peer.package) for peer in peers(only)}
    for peer in peers(only):
        module, what = modules[peer.package], f"{peer.method} / {peer.package}'s {peer.kind}"
        if isinstance(module, str):
            continue
        mine, theirs = peer.make(module, CIFAR)
        agree(what, mine, theirs)
        times = ratio(clock(ours=mine, peer=theirs), "ours", "peer")
        note = f" (made equal: {peer.made_equal})" if peer.made_equal else ""
        print(f"{what}: {times}{note}", flush=True)
        found[what] = {
            "time": float(f"{times.median:.3g}"),
            "quartiles": [round(times.low, 3), round(times.high, 3)],
        }
    for package, module in modules.items():
        if isinstance(module, str):
            print(f"{package}: {module}; {INSTALL}")
    for method, reason in NOT_COMPARED.items():
        if only in (None, method):
            print(f"{method} is not compared: {reason}")
    return found


def main() -> None:
    arguments = parse()
    torch.set_num_threads(arguments.threads)
    clock = Clock(arguments.threads, arguments.repeats)
    versions, commit = environment.packages(), environment.commit()
    head = {
        "machine": f"{environment.processor()}, torch {versions['torch']}, Python {versions['python']}",
        "date": date.today().isoformat(),
        "commit": f"{commit['git_commit']}{' and changes' if commit['git_dirty'] else ''}",
        "threads": arguments.threads,
        "repeats": arguments.repeats,
        "shapes": str(CIFAR),
    }
    print("\n".join(f"{key}: {value}" for key, value in head.items()))
    figures = {**head, "methods": beside_kd(clock, [arguments.only] if arguments.only else ours())}
    print("\nAgainst the definition written out")
    figures["definitions"] = against_definitions(clock, arguments.only)
    print("\nAgainst other packages, ours / theirs")
    figures["peers"] = against_peers(clock, arguments.only)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
