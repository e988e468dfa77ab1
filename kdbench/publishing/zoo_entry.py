"""Where the weights of a row are, in its metafile."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..atomic import write_text
from ..zoo import metafile_text, read_metafile


def enter_weights(path: Path, record: Mapping[str, Any], file: str, link: str | None) -> None:
    """Say in the entry of this row, for this seed, what the published file is called and where it is.

    A row or a seed that was not recorded, or with other weights, is a ``ValueError``; nothing else is changed.
    """
    metafile = read_metafile(path)
    entry = next((model for model in metafile["Models"] if model["Name"] == record["row"]), None)
    if entry is None:
        raise ValueError(f"{path} has no entry {record['row']}; record the row first with tools/record.py")
    wanted = (record["seed"], record["student"]["sha256"])
    weights = next((w for w in entry["Weights"] if (w["Seed"], w["SHA256"]) == wanted), None)
    if weights is None:
        raise ValueError(
            f"{path} lists other weights of {record['row']} seed {record['seed']}; record the row again first"
        )
    weights.update({"File": file, **({"Link": link} if link else {})})
    write_text(path, metafile_text(metafile))
