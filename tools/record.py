"""Folds the results of a row's seeds into configs/<method>/metafile.yml."""

import argparse
import sys
from pathlib import Path

import command


def parse() -> argparse.Namespace:
    """The command line."""
    parser = command.parser(__doc__)
    parser.add_argument(
        "folders", nargs="+", metavar="work_dirs/<row>", help="folders that hold seed*/result.yml"
    )
    parser.add_argument(
        "--allow-smoke", action="store_true", help="take smoke runs too, as tests of this tool do"
    )
    return parser.parse_args()


def record(arguments: argparse.Namespace) -> None:
    """Fold every folder; one that cannot be recorded stops the command before anything is written."""
    from kdbench.compose import configs_of
    from kdbench.engine.checkpoint import write_text
    from kdbench.zoo import fold, metafile_text, read_metafile, read_results, with_model

    entries = []
    for folder in arguments.folders:
        results = read_results(folder)
        check_unchanged(results)
        entries.append((fold(results, arguments.allow_smoke), paper(results[0])))
    for entry, title in entries:
        path = configs_of(Path(entry["Config"])) / entry["In Collection"] / "metafile.yml"
        write_text(path, metafile_text(with_model(read_metafile(path), entry, title)))
        seeds = ", ".join(map(str, entry["Results"][0]["Seeds"]))
        print(f"{entry['Name']}: seeds {seeds} -> {path}")
        if entry["Metadata"]["Dirty"]:
            print(f"  flagged: {entry['Name']} was measured with uncommitted changes")


def check_unchanged(results: list[dict]) -> None:
    """Refuse results of a row that says something else by now."""
    from kdbench.compose import recompose

    for result in results:
        if recompose(result["config"]).row.sha256 != result["config"]["sha256"]:
            raise ValueError(
                f"{result['config']['path']} or a part of it has changed since {result['file']} was made; "
                "train it again, or bring back the row"
            )


def paper(result: dict) -> str | None:
    """The first line of the module of the row's distiller, or of that of the row it goes on from; it names a paper."""
    from inspect import getmodule

    from kdbench.compose import compose, configs_of, recompose
    from kdbench.registry import DISTILLERS, find

    config = recompose(result["config"])
    if not config.model.get("distiller") and config.get("starts_from"):
        config = compose(configs_of(Path(config.row.path)) / f"{config.starts_from}.py")
    distiller = config.model.get("distiller")
    if not distiller:
        return None
    doc = getattr(getmodule(find(DISTILLERS, distiller.type)), "__doc__", None) or ""
    return doc.strip().split("\n")[0].rstrip(".") or None


if __name__ == "__main__":
    sys.exit(command.run(record, parse()))
