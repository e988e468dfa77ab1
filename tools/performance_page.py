"""The tables of docs/performance.md, from docs/performance.json, which `python -m benchmarks --json` writes.

What stands outside of the marks, such as why a target is missed, is written by hand and kept.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from command import markdown

RECORD, PAGE = "performance.json", "performance.md"
BEGIN, END = "<!-- figures: made by tools/document.py -->", "<!-- end of figures -->"


def performance_page(docs: Path, output: Path) -> dict[Path, str]:
    """The page as it should be in the folder ``output``, from the figures and the text in ``docs``."""
    record = json.loads((docs / RECORD).read_text("utf-8"))
    if record["quick"]:
        raise ValueError(f"docs/{RECORD} is of a quick run, whose figures mean nothing; run make bench")
    before, rest = (docs / PAGE).read_text("utf-8").split(BEGIN)
    after = rest.split(END)[1]
    return {output / PAGE: f"{before}{BEGIN}\n\n{figures(record)}\n\n{END}{after}"}


def figures(record: Mapping[str, Any]) -> str:
    """The machine, how many targets are met, and a table for each suite."""
    from benchmarks.figures import HEADER, from_json

    blocks = [machine(record["machine"])]
    found = {name: [from_json(f) for f in suite["figures"]] for name, suite in record["suites"].items()}
    aimed = [figure for several in found.values() for figure in several if figure.target is not None]
    met = sum(bool(figure.met) for figure in aimed)
    blocks.append(f"{met} of {len(aimed)} targets are met.")
    for name, suite in record["suites"].items():
        blocks.append(f"### {name}")
        if found[name]:
            blocks.append("\n".join(markdown(HEADER, [figure.cells for figure in found[name]])))
        if suite["notes"]:
            blocks.append("\n".join(f"- {note}" for note in suite["notes"]))
    return "\n\n".join(blocks)


def machine(facts: Mapping[str, Any]) -> str:
    """Where and when, in one paragraph."""
    peers = ", ".join(f"{name} {version}" for name, version in facts["peers"].items() if version)
    absent = ", ".join(name for name, version in facts["peers"].items() if not version)
    load = " and ".join(
        " ".join(f"{x:g}" for x in facts[f"load average {when}"]) for when in ("before", "after")
    )
    lines = [
        f"{facts['date']}, {facts['processor']}, {facts['cores']} cores, {facts['threads']} thread; load average "
        f"{load} before and after; torch {facts['torch']}, NumPy {facts['numpy']}, Python {facts['python']}; commit "
        f"{facts['commit']}.",
        f"Beside: {peers or 'no peer'}." + (f" Not there: {absent}." if absent else ""),
    ]
    return "\n".join(lines)
