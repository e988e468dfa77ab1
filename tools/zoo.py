"""Writes model_zoo.md and the tables in configs/<method>/README.md from the metafiles."""

import argparse
import sys
from pathlib import Path

import command

STALE = 1
PUBLISHED = "published.yml"


def parse() -> argparse.Namespace:
    """The command line."""
    parser = command.parser(__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a file is stale")
    parser.add_argument("--configs", type=Path, default=Path("configs"), help="the folder of the rows")
    parser.add_argument("--output", type=Path, default=Path("model_zoo.md"), help="the file of all tables")
    return parser.parse_args()


def zoo(arguments: argparse.Namespace) -> int:
    """Render every file; write those that differ, or name them."""
    from kdbench.atomic import write_text

    stale = [
        (path, text) for path, text in rendered(arguments.configs, arguments.output) if read(path) != text
    ]
    for path, text in stale:
        if arguments.check:
            print(f"{path} is stale; run python tools/zoo.py", file=sys.stderr)
        else:
            write_text(path, text)
            print(f"wrote {path}")
    return STALE if stale and arguments.check else 0


def rendered(configs: Path, output: Path) -> list[tuple[Path, str]]:
    """Every generated file and what should be in it."""
    from kdbench.zoo import between_markers, model_zoo, read_metafile, read_published, readme_tables

    paths = sorted(configs.glob("*/metafile.yml"))
    metafiles = [read_metafile(path) for path in paths]
    changed = changed_rows(metafiles)
    published = read_published(configs / PUBLISHED)
    files = [(output, model_zoo(metafiles, changed, published))]
    for path in paths:
        method, readme = path.parent.name, path.with_name("README.md")
        text = read(readme) or f"# {method}\n"
        files.append((readme, between_markers(text, readme_tables(method, metafiles, changed))))
    return files


def changed_rows(metafiles: list[dict]) -> set[str]:
    """Names of rows that say something else than when they were measured."""
    from kdbench.compose import compose

    changed = set()
    for model in (model for metafile in metafiles for model in metafile["Models"]):
        metadata = model["Metadata"]
        try:
            now = compose(model["Config"], **metadata["Swapped"], options=metadata["Options"]).row.sha256
        except ValueError:  # the row or a part of it is gone
            now = None
        if now != metadata["Config SHA256"]:
            changed.add(model["Name"])
    return changed


def read(path: Path) -> str:
    """The text of a file, empty if there is none."""
    return path.read_text(encoding="utf-8") if path.is_file() else ""


if __name__ == "__main__":
    sys.exit(command.run(zoo, parse()))
