"""Writes docs/distillers, docs/result.schema.json, and the tables in docs/external.md and docs/performance.md.

Golden entries are looked up in this checkout's tests, costs in docs/distillers/costs.json (benchmarks/losses.py).
"""

import argparse
import inspect
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import command
from command import markdown
from external_page import external_pages
from performance_page import performance_page

ROOT = Path(__file__).resolve().parent.parent
STALE = 1
SCHEMA = "result.schema.json"
NONE = "–"
NEEDS = ("student", "teacher", "heads", "batch", "tasks")
OF_ITS_METHODS = "its methods'"  # what a composite, which has no paper, reads
ORACLES = ROOT / "tests/test_distillers"
EXAMPLE = "configs/kd/utd_skeleton_cnn_depth_cnn.py"  # a row to swap a method into that has none of its own
PAPER = re.compile(r"^(?P<title>.+) \((?P<authors>.+), (?P<venue>[^,]+) (?P<year>\d{4})\)\.$")
LABELS = ("Published", "Several labels", "Limits", "Deviations")
LABELLED = re.compile(rf"^({'|'.join(LABELS)}): ")
DOCTEST = re.compile(r"(?:^>>> .*\n?(?:^(?!>>> ).+\n?)*)+", re.M)
HEADER = (
    "method", "paper", "year", "student taps", "teacher taps", "heads", "batch fields", "tasks",
    "parameters", "time", "memory", "golden entries",
)  # fmt: skip


def parse() -> argparse.Namespace:
    """The command line."""
    parser = command.parser(__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a page is stale")
    parser.add_argument("--configs", type=Path, default=Path("configs"), help="the folder of the rows")
    parser.add_argument("--output", type=Path, default=Path("docs/distillers"), help="the folder of pages")
    return parser.parse_args()


def document(arguments: argparse.Namespace) -> int:
    """Render every page; write those that differ, or name them."""
    from kdbench.atomic import write_text

    pages = rendered(arguments.configs, arguments.output)
    stale = {
        path: text for path, text in pages.items() if not path.is_file() or path.read_text("utf-8") != text
    }
    orphans = sorted(set(arguments.output.glob("*.md")) - set(pages))
    for path in [*stale, *orphans] if arguments.check else ():
        print(f"{path} is stale; run python tools/document.py", file=sys.stderr)
    if arguments.check:
        return STALE if stale or orphans else 0
    arguments.output.mkdir(parents=True, exist_ok=True)
    for path, text in stale.items():
        write_text(path, text)
        print(f"wrote {path}")
    for path in orphans:
        path.unlink()
        print(f"removed {path}, whose method is gone")
    return 0


def rendered(configs: Path, output: Path) -> dict[Path, str]:
    """Every page of the folder ``output``, the schema beside it, and what should be in them."""
    costs = read_costs(output / "costs.json")
    golden, parts = golden_entries(), parts_by_kind(configs)
    rows = own_rows(configs, {name: kind for kind, of_kind in parts.items() for name in of_kind})
    pages = {output / "README.md": overview(costs, golden), output.parent / SCHEMA: record_schema()}
    pages |= external_pages(ROOT / "docs", output.parent)
    pages |= performance_page(ROOT / "docs", output.parent)
    for name, kind in methods().items():
        text = page(kind, parts.get(kind, {}), rows.get(kind, []), golden.get(kind.__module__, Counter()))
        pages[output / f"{name.lower()}.md"] = text
    return pages


def record_schema() -> str:
    """The JSON Schema of ``result.yml``."""
    from kdbench.records import json_schema

    return json.dumps(json_schema(), indent=1) + "\n"


@cache
def methods() -> dict[str, type]:
    """Every registered method of the package by name."""
    import kdbench.distillers  # noqa: F401  (registers them)
    from kdbench.registry import DISTILLERS

    found = {n: c for n, c in DISTILLERS.module_dict.items() if c.__module__.startswith("kdbench.")}
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def read_costs(path: Path) -> dict[str, Any]:
    """What each method costs beside KD, measured by benchmarks/losses.py; empty before that."""
    return json.loads(path.read_text("utf-8")) if path.is_file() else {"methods": {}}


def golden_entries() -> dict[str, Counter]:
    """Names of golden entries, each with its number of cases, by the module whose functions compute them."""
    sys.path.insert(0, str(ROOT))
    from kdbench import distillers
    from tests.golden_table import TABLE

    entries = json.loads((ROOT / "tests/golden/losses.json").read_text("utf-8"))["entries"]
    found: dict[str, Counter] = {}
    for name in (entry["name"] for entry in entries if entry["name"] in TABLE):
        called = set(re.findall(r"\bdistillers\.(\w+)", inspect.getsource(TABLE[name])))
        for module in {getattr(distillers, function).__module__ for function in called}:
            found.setdefault(module, Counter())[name] += 1
    return found


def own_rows(configs: Path, kinds: Mapping[str, type]) -> dict[type, list[Path]]:
    """The rows of each method, by the part that a row imports: composing every row takes half a minute."""
    from kdbench.compose import imported_parts
    from kdbench.compose import rows as all_rows

    found: dict[type, list[Path]] = {}
    for row in all_rows(configs):
        if part := imported_parts(row).get("distiller"):
            found.setdefault(kinds[part], []).append(row)
    return found


def parts_by_kind(configs: Path) -> dict[type, dict[str, Mapping[str, Any]]]:
    """The parts of each method by name, without their type."""
    from kdbench.compose import parts
    from kdbench.registry import DISTILLERS, find

    found: dict[type, dict[str, Mapping[str, Any]]] = {}
    for name, part in parts(configs, "distillers").items():
        config = dict(part.config)
        found.setdefault(find(DISTILLERS, config.pop("type")), {})[name] = config
    return found


# ---- the overview


def overview(costs: Mapping[str, Any], golden: Mapping[str, Counter]) -> str:
    """The page with the table of all methods."""
    lines = [cells(name, kind, costs["methods"].get(name, {}), golden) for name, kind in methods().items()]
    return "\n".join(
        [
            "# Distillers",
            "",
            "Made from the methods' docstrings by `tools/document.py`; do not edit.",
            "",
            *about_costs(costs),
            "",
            "Golden entries are cases of `tests/golden/losses.json`, values and gradients of an independent "
            "implementation, that a method's functions compute (`tests/golden_table.py`).",
            "",
            *markdown(HEADER, lines),
            "",
        ]
    )


def about_costs(costs: Mapping[str, Any]) -> list[str]:
    """What stands above the columns of costs."""
    if not costs["methods"]:
        return [f"Costs have not been measured yet ({NONE})."]
    return [
        "Parameters are those that a method adds to training. Time (forward and backward of the loss) and peak memory "
        f"are multiples of KD's, by `benchmarks/losses.py`: {costs['shapes']}; {costs['machine']}, "
        f"{costs['threads']} thread{'' if costs['threads'] == 1 else 's'}, {costs['date']}."
    ]


def cells(name: str, kind: type, cost: Mapping[str, float], golden: Mapping[str, Counter]) -> list[str]:
    """One line of the table."""
    paper, needs = paper_of(kind), kind.needs
    return [
        f"[{name}]({name.lower()}.md)",
        f"{paper['authors']}, {paper['venue']}" if paper else NONE,
        paper["year"] if paper else NONE,
        *(listed(getattr(needs, of)) if paper else OF_ITS_METHODS for of in NEEDS),
        f"{cost['parameters']:,}" if "parameters" in cost else NONE,
        *(multiple(cost[what]) if what in cost else NONE for what in ("time", "memory")),
        f"yes, {count}" if (count := sum(golden.get(kind.__module__, {}).values())) else "no",
    ]


def multiple(number: float) -> str:
    """A number with three digits, and all of those before the point.

    >>> multiple(0.94721), multiple(1635.4)
    ('0.947', '1,635')
    """
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def paper_of(kind: type) -> Mapping[str, str] | None:
    """Title, authors, venue and year that the first line of the method's module says; None if it is no paper's."""
    found = PAPER.match(module_text(kind).split("\n")[0])
    return found.groupdict() if found else None


def module_text(kind: type) -> str:
    """The docstring of the module of a method."""
    return inspect.getdoc(sys.modules[kind.__module__]) or ""


# ---- a page


def page(kind: type, parts: Mapping[str, Mapping], rows: Sequence[Path], golden: Counter) -> str:
    """The page of one method."""
    body, labelled = described(inspect.getdoc(kind) or "")
    title, _, more = module_text(kind).partition("\n")
    blocks = [
        f"# {kind.__name__}",
        "Made from its docstrings by `tools/document.py`; do not edit.",
        title,
        *paragraphs(more),
        *body,
        *formulas(kind),
        "## Reads",
        reads(kind),
        "## Arguments",
        arguments_of(kind),
        *(block for label in LABELS if label in labelled for block in (f"## {label}", labelled[label])),
        "## Use",
        *usage(parts, rows, kind),
        "## Proof",
        proof(kind, golden),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def described(text: str) -> tuple[list[str], dict[str, str]]:
    """The paragraphs of a class's docstring, and those that begin with a label, by label."""
    body, labelled = [], {}
    for paragraph in paragraphs(text):
        label = LABELLED.match(paragraph)
        if label:
            labelled[label[1]] = sentence(paragraph[label.end() :])
        else:
            body.append(paragraph)
    return body, labelled


def sentence(text: str) -> str:
    """The text with a capital at its beginning."""
    return text[:1].upper() + text[1:]


def paragraphs(text: str) -> list[str]:
    """The paragraphs of a docstring as Markdown, examples as code."""
    text = DOCTEST.sub(lambda found: f"```python\n{found[0].rstrip()}\n```\n", text.strip()).strip()
    return [
        block.replace("``", "`") if not block.startswith("```") else block for block in text.split("\n\n")
    ]


def functions(kind: type) -> Iterator[Callable]:
    """The public functions of a method's module, in the order of the file."""
    for name, value in vars(sys.modules[kind.__module__]).items():
        if inspect.isfunction(value) and value.__module__ == kind.__module__ and not name.startswith("_"):
            yield value


def formulas(kind: type) -> list[str]:
    """The section of a method's functions."""
    blocks = [block for function in functions(kind) for block in formula(function)]
    return ["## Formula", *blocks] if blocks else []


def formula(function: Callable) -> list[str]:
    """A function: its call and its docstring."""
    signature = ", ".join(
        name if parameter.default is parameter.empty else f"{name}={shown(parameter.default)}"
        for name, parameter in inspect.signature(function).parameters.items()
    )
    return [f"### `{function.__name__}({signature})`", *paragraphs(inspect.getdoc(function) or "")]


def reads(kind: type) -> str:
    """The table of what a method reads."""
    from kdbench.distillers import Distiller

    if paper_of(kind) is None:
        return "What its methods read."
    needs = kind.needs
    lines = [
        ["taps of the student", listed(needs.student)],
        ["taps of the teacher", listed(needs.teacher) if needs.teacher else "no teacher"],
        ["last linear layers of", listed(needs.heads)],
        ["fields of the batch", listed(needs.batch)],
        ["tasks", listed(needs.tasks)],
        ["changes inference", "yes" if kind.predict is not Distiller.predict else "no"],
    ]
    more = kind.needs_for.__func__ is not Distiller.needs_for.__func__
    table = "\n".join(markdown(["what", "which"], lines))
    return f"{table}\n\nThis is with default arguments; others may read other things." if more else table


def arguments_of(kind: type) -> str:
    """The table of the constructor's arguments."""
    from kdbench.distillers import Distiller

    required = "to be given" if kind.infer is Distiller.infer else "found from the models or the data"
    lines = [
        [f"`{p.name}`", required if p.default is p.empty else f"`{shown(p.default)}`"]
        for p in inspect.signature(kind).parameters.values()
    ]
    return "\n".join(markdown(["argument", "default"], lines)) if lines else "None."


def shown(value: Any) -> str:
    """A value as one would write it."""
    return value.__name__ if isinstance(value, type) else repr(value)


def usage(parts: Mapping[str, Mapping], rows: Sequence[Path], kind: type) -> list[str]:
    """Parts with their published weights, rows, and a command."""
    blocks = []
    if parts:
        lines = [part_cells(name, dict(config)) for name, config in parts.items()]
        blocks.append("\n".join(markdown(["part", "arguments", "task_weight", "distill_weight"], lines)))
    folders = Counter(row.parent for row in rows)
    if folders:
        found = ", ".join(f"`{folder.as_posix()}` ({count})" for folder, count in sorted(folders.items()))
        blocks.append(f"Rows: {found}.")
    if not rows and not kind.needs.teacher:  # there is no row to swap it into
        return blocks
    run = rows[0].as_posix() if rows else f"{EXAMPLE} --distiller {next(iter(parts), kind.__name__)}"
    return [*blocks, f"```bash\npython tools/train.py {run}\n```"]


def part_cells(name: str, config: dict[str, Any]) -> list[str]:
    """One line of the table of parts."""
    weights = [f"{config.pop(weight, 1)}" for weight in ("task_weight", "distill_weight")]
    return [f"`{name}`", ", ".join(f"`{key}={shown_part(v)}`" for key, v in config.items()) or NONE, *weights]


def shown_part(value: Any) -> str:
    """A part's argument as one would write it in a config."""
    if isinstance(value, Mapping):
        return f"dict({', '.join(f'{key}={shown_part(v)}' for key, v in value.items())})"
    if isinstance(value, list):
        return f"[{', '.join(map(shown_part, value))}]"
    return shown(value)


def proof(kind: type, golden: Counter) -> str:
    """Which golden entries the functions of a method compute, and the tests that name it or them."""
    names = "|".join([kind.__name__, *(function.__name__ for function in functions(kind))])
    tests = [path for path in sorted(ORACLES.glob("test_*.py")) if path.stem != "test_contract"]
    naming = [path for path in tests if re.search(rf"\b({names})\b", path.read_text("utf-8"))]
    entries = ", ".join(f"`{name}` ({count})" for name, count in sorted(golden.items()))
    oracles = ", ".join(f"`{path.relative_to(ROOT).as_posix()}`" for path in naming)
    return f"Golden entries: {entries or 'none'}. Oracles: {oracles or 'none'}."


def listed(names: Sequence[str]) -> str:
    """Names with commas."""
    return ", ".join(names) or NONE


if __name__ == "__main__":
    sys.exit(command.run(document, parse()))
