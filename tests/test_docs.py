"""The code in the how-to pages runs, page by page, as a reader would paste it."""

import json
import re
from pathlib import Path

import pytest
import torch

import kdbench.distillers  # noqa: F401  (registers them)
from kdbench.registry import BACKBONES, DATASETS, DISTILLERS, TRANSFORMS
from tests.toy_project import command

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs").glob("add_a_*.md"))


@pytest.fixture(autouse=True)
def _nothing_stays_registered():
    registries = (BACKBONES, DATASETS, DISTILLERS, TRANSFORMS)
    before = [dict(registry.module_dict) for registry in registries]
    yield
    for registry, modules in zip(registries, before, strict=True):
        registry.module_dict.clear()
        registry.module_dict.update(modules)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_page_s_code_runs(page: Path) -> None:
    torch.manual_seed(0)
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.S)
    assert len(blocks) >= 2
    names: dict = {"__name__": page.stem}
    for block in blocks:
        exec(compile(block, page.name, "exec"), names)


def test_there_are_three_pages() -> None:
    assert [page.stem for page in PAGES] == ["add_a_backbone", "add_a_data_set", "add_a_distiller"]


@pytest.mark.parametrize(
    "page", [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md"], ids=lambda p: p.name
)
def test_paths_named_in_the_docs_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"`((?:configs|kdbench|tools|tests|docs|benchmarks)/[\w./-]+\.\w+)`", text)
    missing = [name for name in named if not (ROOT / name).exists() and "cosine_hint" not in name]
    assert not missing


def test_every_score_in_the_readme_stands_in_the_model_zoo() -> None:
    scores = re.findall(r"\d+\.\d ± \d+\.\d", (ROOT / "README.md").read_text(encoding="utf-8"))
    zoo = (ROOT / "model_zoo.md").read_text(encoding="utf-8")
    assert len(scores) > 10
    assert not [score for score in scores if score not in zoo]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of the methods, written anew."""
    folder = tmp_path_factory.mktemp("pages")
    done = command(ROOT, "document", "--output", str(folder))
    assert done.returncode == 0, done.stderr
    return folder


def test_the_pages_of_the_methods_are_fresh() -> None:
    done = command(ROOT, "document", "--check")
    assert done.returncode == 0, done.stderr


def test_every_method_has_a_page_and_a_line_in_the_table(written: Path) -> None:
    table = (written / "README.md").read_text(encoding="utf-8")
    lines = re.findall(r"^\| \[(\w+)\]\((\w+\.md)\)", table, re.M)
    ours = {n for n, c in DISTILLERS.module_dict.items() if c.__module__.startswith("kdbench.")}
    assert {name for name, _ in lines} == ours
    assert {page for _, page in lines} == {path.name for path in written.glob("*.md")} - {"README.md"}


def test_a_page_shows_formula_needs_arguments_parts_and_proof(written: Path) -> None:
    page = (written / "fitnet.md").read_text(encoding="utf-8")
    assert "FitNets: Hints for Thin Deep Nets (Romero et al., ICLR 2015)." in page
    assert "### `hint_loss(student, teacher)`" in page
    assert "| taps of the student | stages |" in page
    assert "| `stage` | `-1` |" in page
    assert "| `student_shapes` | found from the models or the data |" in page
    assert re.search(r"\| `fitnet` \| `stage=-1` \| \S+ \| \S+ \|", page)
    assert re.search(
        r"Golden entries: `fitnets` \(2\)\. Oracles: .*`tests/test_distillers/test_fitnet\.py`", page
    )


def test_every_method_with_a_paper_says_what_was_published_and_what_deviates(written: Path) -> None:
    pages = {path.name: path.read_text(encoding="utf-8") for path in sorted(written.glob("*.md"))}
    methods = {n: text for n, text in pages.items() if re.search(r" \(.+ et al\., .+\d{4}\)\.$", text, re.M)}
    assert len(methods) >= 36
    sections = ("Formula", "Reads", "Arguments", "Published", "Deviations", "Use", "Proof")
    missing = [(n, s) for n, text in methods.items() for s in sections if f"\n## {s}\n" not in text]
    assert not missing


def test_golden_entries_and_costs_are_read_not_typed(written: Path, tmp_path: Path) -> None:
    costs = {"machine": "M", "date": "D", "threads": 1, "shapes": "S"}
    methods = {"CWD": {"time": 1.234, "memory": 0.5, "parameters": 12345}}
    (tmp_path / "costs.json").write_text(json.dumps({**costs, "methods": methods}))
    assert command(ROOT, "document", "--output", str(tmp_path)).returncode == 0
    table = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert re.search(r"^\| \[CWD\].* \| 12,345 \| 1.23 \| 0.5 \| no \|$", table, re.M)
    assert re.search(r"^\| \[AT\].* \| – \| – \| – \| yes, 2 \|$", table, re.M)


def test_a_stale_or_orphaned_page_is_named(written: Path) -> None:
    page, orphan = written / "kd.md", written / "gone.md"
    page.write_text("old", encoding="utf-8")
    orphan.write_text("no such method", encoding="utf-8")
    done = command(ROOT, "document", "--check", "--output", str(written))
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"{path} is stale; run python tools/document.py" for path in (page, orphan)
    ]
    assert command(ROOT, "document", "--output", str(written)).returncode == 0
    assert not orphan.exists()
    assert command(ROOT, "document", "--check", "--output", str(written)).returncode == 0
