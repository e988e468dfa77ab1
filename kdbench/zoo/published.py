"""Numbers of papers, shown beside ours and never among them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from ..spec import InvalidDataError

HEADER = ("method", "network", "score", "remark")


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Number(_Model):
    """Scores of one network: ``network`` says what it is and, where that differs, what it sees."""

    method: str
    network: str
    scores: dict[str, float]
    remark: str = ""


class Published(_Model):
    """Numbers of one source on one data set and protocol, in the names of our tables.

    ``selection`` says by what an epoch was chosen: scores of the best epoch on the test split are not comparable with
    those of the last one.
    """

    dataset: str
    protocol: str
    source: str
    url: str
    selection: str
    numbers: tuple[Number, ...]


_FILE = TypeAdapter(tuple[Published, ...])


def read_published(path: Path) -> tuple[Published, ...]:
    """The numbers in a file, none if it is not there; one without source or selection is an ``InvalidDataError``."""
    if not path.is_file():
        return ()
    found: Any = yaml.safe_load(path.read_text(encoding="utf-8")) or []
    try:
        return _FILE.validate_python(found)
    except ValidationError as error:
        lines = "".join(f"\n  - {'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise InvalidDataError(f"{path} holds what is no published number:{lines}") from error


def published_tables(entries: Sequence[Published]) -> str:
    """A section for each data set and protocol, and in it a table of each source, below what it says of itself."""
    groups: dict[tuple[str, str], list[str]] = {}
    for entry in sorted(entries, key=lambda one: (one.dataset, one.protocol, one.source)):
        groups.setdefault((entry.dataset, entry.protocol), []).append(_table(entry))
    return "\n".join(
        f"### Published: {dataset} · {protocol}\n\n" + "\n".join(tables)
        for (dataset, protocol), tables in groups.items()
    )


def _table(entry: Published) -> str:
    lines: list[Sequence[str]] = [HEADER, ["---"] * len(HEADER)]
    lines += [(one.method, one.network, _scores(one), one.remark or "–") for one in entry.numbers]
    rows = [f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines]
    return f"[{entry.source}]({entry.url}). Selection: {entry.selection}.\n\n" + "\n".join(rows) + "\n"


def _scores(one: Number) -> str:
    return ", ".join(f"{name} {value:.2f}" for name, value in one.scores.items())
