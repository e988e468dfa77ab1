"""Keeps what a row's teacher says of each training draw on disk, and checks and lists such caches.

build    run the teacher over every draw of the row's training, once; a killed build goes on
verify   compare every record of the caches in a folder with its checksum
stat     list the caches in a folder
"""

import argparse
import sys

import command

DTYPES = ("float16", "float32")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = command.parser(__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    actions = parser.add_subparsers(dest="action", required=True)
    build = actions.add_parser("build", help="run the teacher once and keep what it says")
    command.add_row_arguments(build)
    build.add_argument("--cache", required=True, metavar="DIR", help="the folder of all caches")
    build.add_argument(
        "--taps", nargs="+", default=[], metavar="TAP", help="beside those that the row's distiller reads"
    )
    build.add_argument("--dtype", choices=DTYPES, default="float16", help="of a record; default: float16")
    build.add_argument(
        "--top-k", type=int, metavar="K", help="keep the K largest logits and the others' mass"
    )
    build.add_argument("--jobs", type=int, metavar="N", help="processes; default: one a core")
    for action, what in (("verify", "compare every record with its checksum"), ("stat", "list the caches")):
        actions.add_parser(action, help=what).add_argument(
            "cache", metavar="DIR", help="the folder of all caches"
        )
    return parser.parse_args()


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked for."""
    return {"build": build, "verify": verify, "stat": stat}[arguments.action](arguments)


def build(arguments: argparse.Namespace) -> int:
    """Compose the row as training does, and fill its cache."""
    config = command.composed(arguments)
    import torch

    torch.set_num_threads(1)  # processes in place of threads: a fork of a process that used several may hang
    from kdbench.cache import Live, build_cache, build_command

    live = Live(config, arguments.taps)
    said = f"{build_command(config, arguments.cache)} {form(arguments)}"
    with shown() as progress:
        place = build_cache(
            live,
            arguments.cache,
            arguments.dtype,
            arguments.top_k,
            jobs(arguments.jobs),
            progress,
            command=said,
        )
    print(f"{config.row.name} seed {config.row.seed}: {place}")
    print(described({place: manifest_of(place)}))
    return 0


def form(arguments: argparse.Namespace) -> str:
    """The words of a command line that say what is kept."""
    words = ["--dtype", arguments.dtype, *(["--taps", *arguments.taps] if arguments.taps else [])]
    return " ".join([*words, *(["--top-k", str(arguments.top_k)] if arguments.top_k else [])])


def jobs(asked: int | None) -> int:
    """How many processes fill the cache; one beside a GPU, whose driver does not survive a fork."""
    import torch

    return 1 if torch.cuda.is_available() else asked or command.all_cores()


def shown():
    """A progress bar on standard error, as a context that gives a function of (blocks done, blocks in all)."""
    from contextlib import contextmanager

    from rich.console import Console
    from rich.progress import Progress

    @contextmanager
    def bar():
        with Progress(console=Console(stderr=True)) as progress:
            task = progress.add_task("blocks", total=None)
            yield lambda done, total: progress.update(task, completed=done, total=total)

    return bar()


def manifest_of(place):
    """The manifest of one cache."""
    from kdbench.cache import read_manifest

    return read_manifest(place)


def found_in(folder: str) -> dict:
    """The manifests below a folder; none at all is an error."""
    from kdbench.cache import manifests
    from kdbench.spec import InvalidDataError

    there = manifests(folder)
    if not there:
        raise InvalidDataError(f"{folder} holds no teacher cache; make one with tools/cache_teacher.py build")
    return there


def verify(arguments: argparse.Namespace) -> int:
    """Read every record; 3 if one is damaged or a cache is not whole."""
    from kdbench.cache import Records
    from kdbench.spec import InvalidDataError

    code = 0
    for place in found_in(arguments.cache):
        try:
            Records(place).check()
            print(f"{place}: whole")
        except InvalidDataError as error:
            print(f"{place}: {error}", file=sys.stderr)
            code = command.INVALID_DATA
    return code


def stat(arguments: argparse.Namespace) -> int:
    """Print a line for each cache."""
    print(described(found_in(arguments.cache)))
    return 0


def described(there: dict) -> str:
    """The caches as a table."""
    header = ["cache", "teacher", "data", "seed", "epochs", "taps", "form", "records", "bytes", "state"]
    return command.table(header, [line(place, made) for place, made in there.items()])


def line(place, made: dict) -> list[str]:
    """One cache in words."""
    facts, layout = made["facts"], made["layout"]
    form = layout["dtype"] + (f", top {layout['top_k']}" if layout["top_k"] else "")
    size = layout["records"] * layout["record_bytes"]
    data = facts["data"]["config"]["type"].rpartition(".")[2]
    draws, taps = facts["draws"], facts["records"]["taps"]
    words = [
        place.name,
        made["teacher"]["type"],
        data,
        str(draws["seed"]),
        str(draws["epochs"]),
        " ".join(taps),
    ]
    return [*words, form, f"{layout['records']:,}", f"{size:,}", state(place)]


def state(place) -> str:
    """Whether a cache can be read."""
    from kdbench.cache import Records
    from kdbench.spec import InvalidDataError

    try:
        Records(place)
    except InvalidDataError as error:
        return "half built" if "half built" in str(error) else "damaged"
    return "whole"


if __name__ == "__main__":
    sys.exit(command.run(run, parse()))
