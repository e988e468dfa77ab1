"""Writes the student of a run as a folder to give away, or uploads it to the Hugging Face Hub."""

import argparse
import sys
import tempfile
from pathlib import Path

import command

HUB = "hub"


def parse() -> argparse.Namespace:
    """The command line."""
    parser = command.parser(__doc__)
    parser.add_argument("run", help="the folder of a run: work_dirs/<method>/<row>/seed<k>")
    parser.add_argument(
        "--to", required=True, metavar="DIR|hub[:OWNER/NAME]", help="a folder that gets it, or the hub"
    )
    parser.add_argument("--force", metavar="REASON", help="publish an unreliable run; the card says why")
    parser.add_argument(
        "--metafile", action="store_true", help="enter file and link into configs/<method>/metafile.yml"
    )
    return parser.parse_args()


def run(arguments: argparse.Namespace) -> None:
    """Publish, and say where."""
    from kdbench.publishing import load, publish
    from kdbench.records import MIN_SEEDS, RESULT_FILE

    place, _, name = arguments.to.partition(":")
    seeds = len(list(Path(arguments.run).resolve().parent.glob(f"seed*/{RESULT_FILE}")))
    if seeds < MIN_SEEDS:
        print(f"the row has {seeds} of {MIN_SEEDS} seeds; the card says that it is one run", file=sys.stderr)
    if place != HUB:
        folder, link = publish(arguments.run, arguments.to, arguments.force), None
        print(folder)
        enter(arguments, load(folder), link)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = publish(arguments.run, temporary, arguments.force)
        link = upload(folder, name or None)
        print(link)
        artefact = load(folder)
        enter(arguments, artefact, f"{link}/resolve/main/{artefact.weights.name}")


def upload(folder: Path, name: str | None) -> str:
    """The address of the repository."""
    from kdbench.publishing import upload as to_hub

    return to_hub(folder, name, f"Publish {folder.name}")


def enter(arguments: argparse.Namespace, artefact, link: str | None) -> None:
    """Enter the file into the row's metafile, if that was asked for."""
    if not arguments.metafile:
        return
    from kdbench.compose import configs_of
    from kdbench.publishing import enter_weights

    record = artefact.record
    method = record["row"].split("/")[0]
    path = configs_of(Path(record["config"]["path"])) / method / "metafile.yml"
    enter_weights(path, record, artefact.weights.name, link)
    print(f"entered into {path}")


if __name__ == "__main__":
    sys.exit(command.run(run, parse()))
