"""Lists what there is: distillers, backbones, data sets, rows, parts."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import command

NUM_CLASSES = 27  # with which parameters are counted
UNKNOWN = "–"


def parse() -> argparse.Namespace:
    """The command line."""
    parser = command.parser(__doc__)
    parser.add_argument("what", choices=LISTS)
    parser.add_argument(
        "--distiller", metavar="NAME", help="rows: which could run this distiller (a part or a class)"
    )
    parser.add_argument("--configs", type=Path, default=Path("configs"), help="the folder of the rows")
    return parser.parse_args()


def listed(arguments: argparse.Namespace) -> None:
    """Print one table."""
    if arguments.distiller and arguments.what != "rows":
        raise ValueError("--distiller goes with: list.py rows")
    header, lines = LISTS[arguments.what](arguments)
    print(command.table(header, lines))


def distillers(arguments: argparse.Namespace) -> tuple[list[str], list[list[str]]]:
    """Every registered method, its paper and its needs."""
    import kdbench.distillers  # noqa: F401  (registers them)
    from kdbench.registry import DISTILLERS

    header = ["distiller", "student taps", "teacher taps", "batch fields", "tasks", "paper"]
    lines = []
    for name, kind in sorted(DISTILLERS.module_dict.items()):
        needs = [
            ", ".join(getattr(kind.needs, of)) or UNKNOWN for of in ("student", "teacher", "batch", "tasks")
        ]
        lines.append([name, *needs, first_line(sys.modules[kind.__module__])])
    return header, lines


def backbones(arguments: argparse.Namespace) -> tuple[list[str], list[list[str]]]:
    """Every registered network, what it reads and its size with default arguments."""
    import kdbench.backbones  # noqa: F401  (registers them)
    from kdbench.registry import BACKBONES

    lines = [
        [name, ", ".join(getattr(kind, "reads", ())) or UNKNOWN, size({"type": kind}), first_line(kind)]
        for name, kind in sorted(BACKBONES.module_dict.items())
    ]
    return ["backbone", "reads", f"parameters ({NUM_CLASSES} classes)", "what"], lines


def datasets(arguments: argparse.Namespace) -> tuple[list[str], list[list[str]]]:
    """Every registered data set."""
    import kdbench.datasets  # noqa: F401  (registers them)
    from kdbench.registry import DATASETS

    kinds = sorted(DATASETS.module_dict.items())
    return ["data set", "what"], [[name, first_line(kind)] for name, kind in kinds]


def rows(arguments: argparse.Namespace) -> tuple[list[str], list[list[str]]]:
    """Every row and its parts; with ``--distiller`` whether it could run that one."""
    from kdbench.compose import imported_parts
    from kdbench.compose import rows as all_rows

    paths = all_rows(arguments.configs)
    if arguments.distiller:
        return ["row", f"runs {arguments.distiller}"], [
            [str(p), verdict(p, arguments.distiller)] for p in paths
        ]
    slots = ("data", "teacher", "student", "schedule")
    lines = [[str(path), *(imported_parts(path).get(slot, UNKNOWN) for slot in slots)] for path in paths]
    return ["row", *slots], lines


def parts(arguments: argparse.Namespace) -> tuple[list[str], list[list[str]]]:
    """Every part that can be swapped in by name."""
    from kdbench.compose import parts as parts_of

    lines = []
    for kind in ("models", "distillers"):
        for name, part in sorted(parts_of(arguments.configs, kind).items()):
            count = size(part.config) if kind == "models" else UNKNOWN
            lines.append([name, kind, part.config["type"].__name__, count, str(part.path)])
    return ["part", "kind", "class", f"parameters ({NUM_CLASSES} classes)", "file"], lines


def verdict(row: Path, distiller: str) -> str:
    """``yes``, or why not."""
    from kdbench.compose import compose, part
    from kdbench.registry import DISTILLERS, MODELS, build, find
    from kdbench.spec import IncompatibleError

    try:
        part(row, "distillers", distiller)
        model = compose(row, distiller=distiller).model
    except ValueError:
        model = {**compose(row).model, "distiller": {"type": find(DISTILLERS, distiller)}}
    try:
        build(MODELS, model, load_weights=False)
    except (IncompatibleError, TypeError) as error:  # TypeError: an argument that only a part would give
        return "no: " + "; ".join(
            line.strip(" -") for line in command.message(error).splitlines()[1:] or [str(error)]
        )
    return "yes"


def size(config: dict) -> str:
    """The number of parameters of a network as its part says; unknown where arguments or its package are missing."""
    from kdbench.evaluation import parameters
    from kdbench.registry import BACKBONES, build
    from kdbench.spec import MissingPackageError

    settings = {
        key: value for key, value in config.items() if key not in ("weights", "reads", "start", "taps")
    }
    try:
        return f"{parameters(build(BACKBONES, settings, num_classes=NUM_CLASSES)):,}"
    except (TypeError, ValueError, MissingPackageError):
        return UNKNOWN


def first_line(thing: Any) -> str:
    """The first line of a docstring."""
    return (thing.__doc__ or "").strip().split("\n")[0].rstrip(".")


LISTS: dict[str, Callable] = {
    "distillers": distillers,
    "backbones": backbones,
    "datasets": datasets,
    "rows": rows,
    "parts": parts,
}

if __name__ == "__main__":
    sys.exit(command.run(listed, parse()))
