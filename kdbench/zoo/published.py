"""Numbers of papers, shown beside ours and never among them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from ..spec import InvalidDataError

HEADER = ("method", "network", "score", "source", "selection", "remark")


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


def published_table(entries: Sequence[Published]) -> str:
    """A table of the numbers of one data set and protocol."""
    lines = [HEADER, ["---"] * len(HEADER)]
    for entry in entries:
        source = f"[{entry.source}]({entry.url})"
        lines += [
            (one.method, one.network, _scores(one), source, entry.selection, one.remark or "–")
            for one in entry.numbers
        ]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines) + "\n"


def _scores(one: Number) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in one.scores.items())
