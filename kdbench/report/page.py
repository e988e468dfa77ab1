"""One HTML file from the tree of ``payload``: nothing is fetched, and no name in it can become markup or script."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from ..spec import MissingPackageError
from .read import Tree

_HERE = Path(__file__).parent
SCRIPTS = (
    "dom",
    "state",
    "chart",
    "tables",
    "cost",
    "curves",
    "heat",
    "calibration",
    "ranks",
    "pages",
    "main",
)
STYLES = ("theme", "page", "tables", "charts", "print")


def page(tree: Tree) -> str:
    """The whole file. Its policy admits its own script and styles by their hashes, and nothing from anywhere else."""
    script = '(() => {\n"use strict";\n' + _joined(SCRIPTS, "js") + "\n})();"
    style = _joined(STYLES, "css")
    environment = _environment()
    environment.filters.update(count=count, number=number, signed=signed)
    text: str = environment.get_template("page.html").render(
        tree=tree, data=embedded(tree), script=script, style=style, policy=policy(script, style)
    )
    return text.encode("utf-8", "replace").decode("utf-8")  # half a surrogate pair in a name has no bytes


def _environment() -> Any:
    try:
        import jinja2
    except ImportError as error:
        raise MissingPackageError("the leaderboard needs Jinja2; pip install 'kdbench[report]'") from error
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _joined(names: tuple[str, ...], suffix: str) -> str:
    return "\n".join((_HERE / "static" / f"{name}.{suffix}").read_text(encoding="utf-8") for name in names)


def policy(script: str, style: str) -> str:
    """The Content-Security-Policy: one script and one style sheet, each by its hash."""
    return (
        f"default-src 'none'; script-src {_source(script)}; style-src {_source(style)}; "
        "base-uri 'none'; form-action 'none'"
    )


def _source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def embedded(tree: Tree) -> str:
    r"""JSON that may stand in a script element: no character of it can end the element or a line.

    >>> embedded({"name": "</script>"})
    '{"name":"\\u003c/script\\u003e"}'
    """
    text = json.dumps(tree, allow_nan=False, separators=(",", ":"))  # ASCII only
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def number(value: float | None, digits: int = 1) -> str:
    """A score, or a dash.

    >>> number(93.456), number(None)
    ('93.5', '–')
    """
    return "–" if value is None else f"{value:.{digits}f}"


def signed(value: float | None) -> str:
    """A difference with its sign, a true minus.

    >>> signed(1.25), signed(-1.0), signed(None)
    ('+1.2', '−1.0', '–')
    """
    return "–" if value is None else f"{value:+.1f}".replace("-", "−")


def count(value: float | None) -> str:
    """A quantity in three digits.

    >>> count(298_027), count(2_730_000), count(28.68), count(0.0146), count(None)
    ('298 k', '2.73 M', '28.7', '0.0146', '–')
    """
    if value is None:
        return "–"
    for size, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"
