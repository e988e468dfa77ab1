"""The table of networks of other packages in docs/external.md, and docs/external.json, which records their counts.

Where a package is installed its networks are built and counted; where it is not, the record stands.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

RECORD, PAGE = "external.json", "external.md"
BEGIN, END = "<!-- networks: made by tools/document.py -->", "<!-- end of networks -->"
HEADER = "| network | name | reads | clip | features | parameters |\n| --- | --- | --- | --- | --- | --- |"


def external_pages(docs: Path, output: Path) -> dict[Path, str]:
    """The page and the record as they should be in the folder ``output``, from those in ``docs``."""
    record = counted(json.loads((docs / RECORD).read_text("utf-8")))
    page = (docs / PAGE).read_text("utf-8")
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return {
        output / RECORD: json.dumps(record, indent=1) + "\n",
        output / PAGE: f"{before}{BEGIN}\n\n{table(record)}\n\n{END}{after}",
    }


def counted(record: Mapping[str, Any]) -> dict[str, Any]:
    """What is said of each network of the catalogue, its parameters counted or as recorded."""
    from kdbench.backbones.external.catalogue import CATALOGUE
    from kdbench.compat import SCOPES

    there = {scope for scope in SCOPES if is_there(scope)}
    networks = {}
    for name, entry in CATALOGUE.items():
        network = entry.config["network"]
        if network["name"].split(".")[0] in there:
            parameters = count(entry.config)
        elif name in record["networks"]:
            parameters = record["networks"][name]["parameters"]
        else:
            raise ValueError(
                f"docs/{RECORD} has no '{name}', whose package is not installed; pip install 'kdbench[all]'"
            )
        networks[name] = {
            "title": entry.title,
            "name": network["name"],
            "reads": entry.config.get("modality", "rgb"),
            "clip": list(entry.shape),
            "features": network["width"],
            "parameters": parameters,
        }
    return {"networks": networks}


def is_there(scope: str) -> bool:
    """Whether the package of a scope imports."""
    from kdbench.compat import load_scope
    from kdbench.spec import MissingPackageError

    try:
        load_scope(scope)
    except MissingPackageError:
        return False
    return True


def count(config: Mapping[str, Any]) -> int:
    """The parameters of a network without a classifier."""
    from kdbench.backbones import External

    network = External(num_classes=2, **config).network  # in full: several do not build on the device "meta"
    return sum(parameter.numel() for parameter in network.parameters())


def table(record: Mapping[str, Any]) -> str:
    """The networks as Markdown."""
    lines = [
        f"| {of['title']} (`{name}`) | `{of['name']}` | {of['reads']} | {' x '.join(map(str, of['clip']))} | "
        f"{of['features']} | {of['parameters']:,} |"
        for name, of in record["networks"].items()
    ]
    return "\n".join([HEADER, *lines])
