"""Losses, forward and backward: against their definitions, against other packages, and each beside KD's.

``python -m benchmarks losses``: NST, CRD and RKD's angles against their definitions written out, and every loss that
torchdistill, timm or nvidia-modelopt has too against theirs. Value and gradients are equal before any time is told.

``python -m benchmarks.losses``: what each distiller costs beside KD, in time, peak memory and trained parameters, which
is docs/distillers/costs.json. Times are CPU seconds of one process; candidates take turns.

    nice -n 5 python -m benchmarks.losses --only NST
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import torch

from kdbench.engine import environment
from kdbench.registry import near

from .allocations import peak_bytes
from .figures import Figure, Figures, cost, gain
from .interleaved import interleaved, ratio
from .losses_cases import CIFAR, Case, agree, ours
from .losses_naive import CRD_NEGATIVES, check_draws, draws, pairs
from .losses_peers import NOT_COMPARED, imported, peers

MIB = 2**20
FEW = 2  # turns of what takes ten seconds a call
NO_SLOWER = 1.05  # than a peer


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


def beside_kd(clock: Clock, names: list[str]) -> dict[str, Any]:
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


def figures(quick: bool) -> Figures:
    """The definitions written out, then the peers; below 1 ours is faster than a peer."""
    clock, only = Clock(1, 1 if quick else 7), "RKD" if quick else None
    for make in pairs(only):
        pair = make()
        agree(pair.what, pair.ours, pair.other)
        seconds = clock(FEW, ours=pair.ours, definition=pair.other)
        mib = ", peaks {:.3g} and {:.3g} MiB".format(*(peak_bytes(c) / MIB for c in (pair.ours, pair.other)))
        yield gain(pair.what, seconds, "ours", "definition", pair.target, mib)
    if not quick:
        both = draws()
        for draw in both.values():
            check_draws(CIFAR, draw(), CRD_NEGATIVES)
        yield gain("CRD: drawing the negatives", clock(**both), "ours", "permutations")
    yield from beside_peers(clock, only)


def beside_peers(clock: Clock, only: str | None) -> Iterator[Figure | str]:
    """With equal hyper-parameters, value and gradients."""
    modules = {peer.package: imported(peer.package) for peer in peers(only)}
    for peer in peers(only):
        module, what = modules[peer.package], f"{peer.method}, {peer.package}'s {peer.kind}"
        if not isinstance(module, str):
            mine, theirs = peer.make(module, CIFAR)
            agree(what, mine, theirs)
            note = f" ({peer.made_equal})" if peer.made_equal else ""
            yield cost(what + note, clock(ours=mine, peer=theirs), "ours", "peer", NO_SLOWER)
    for package, module in modules.items():
        if isinstance(module, str):
            yield f"{package}: {module}; benchmarks/peers.txt installs it"
    yield from (f"{method} is not compared: {reason}" for method, reason in NOT_COMPARED.items() if not only)


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
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
