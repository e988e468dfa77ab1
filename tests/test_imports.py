"""Imports point one way, nothing optional is imported at module level, and a distiller costs what torch costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "kdbench"

# What each room may import of kdbench and of the packages that cost start-up time (docs/architecture.md).
LEAVES = {"atomic", "mixture", "registry", "spec"}
MAY_IMPORT = {
    "__init__": set(),
    "atomic": set(),
    "mixture": set(),
    "registry": set(),
    "spec": {"registry"},
    "compat": {"spec"},
    "weights": {"spec"},
    "taps": LEAVES,
    "losses": LEAVES,
    "distillers": LEAVES | {"distillers"},
    "backbones": LEAVES | {"backbones", "compat", "weights"},
    "datasets": LEAVES | {"datasets", "compat"},
    "detection": LEAVES | {"detection", "compat"},
    "edge": LEAVES | {"edge", "compat"},
    "evaluation": LEAVES | {"evaluation"},
    "records": LEAVES | {"records"},
    "statistics": LEAVES | {"statistics", "records", "compat"},
    "engine": LEAVES | {"engine", "compat", "weights", "evaluation", "records"},
    "models": LEAVES | {"models", "taps", "losses", "weights", "distillers"},
    "cache": LEAVES | {"cache", "datasets", "engine", "models", "records", "taps"},
    "compose": LEAVES | {"compose", "weights"},
    "zoo": LEAVES | {"zoo", "records", "statistics"},
    "publishing": LEAVES
    | {
        "publishing",
        "compat",
        "weights",
        "backbones",
        "datasets",
        "evaluation",
        "distillers",
        "models",
        "engine",
        "compose",
        "records",
        "zoo",
    },
    "matrix": LEAVES | {"matrix", "cache", "compose", "engine", "models", "records", "weights"},
    "mmaction": LEAVES | {"mmaction", "backbones", "compat", "distillers", "models", "weights"},
    "report": LEAVES | {"report", "records", "zoo", "evaluation", "weights", "statistics"},
}
HEAVY = {
    "distillers": {"mmengine.registry"},
    "backbones": {"mmengine.registry"},
    "datasets": {"mmengine.dist", "mmengine.registry", "mmengine.dataset"},
}
OPTIONAL = {
    "torchaudio",
    "mmaction",
    "mmdet",
    "mmcv",
    "cv2",
    "av",
    "torchcodec",
    "soundfile",
    "matplotlib",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "timm",
    "torchvision",
    "transformers",
    "huggingface_hub",
    "ray",
    "submitit",
    "scikit_posthocs",
    "pandas",
    "jinja2",
    "playwright",
}
FILES = sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> list[tuple[str, bool]]:
    """(absolute module name, at module level) for each import."""
    tree, here = ast.parse(path.read_text(encoding="utf-8")), path.relative_to(ROOT).with_suffix("").parts
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [(alias.name, node in tree.body) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(here[: len(here) - node.level]) if node.level else ""
            stem = ".".join(filter(None, [base, node.module]))
            whole = (
                [f"{stem}.{alias.name}" for alias in node.names]
                if stem in ("kdbench", "mmengine")
                else [stem]
            )
            names += [(name, node in tree.body) for name in whole]
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path) -> None:
    for name, _ in imported(path):
        parts = name.split(".")
        if parts[0] == "kdbench" and len(parts) > 1 and parts[1] != "__version__":
            assert parts[1] in MAY_IMPORT[room(path)] | {room(path)}, f"{room(path)} may not import {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_light_rooms_stay_light(path: Path) -> None:
    for name, at_module_level in imported(path):
        if at_module_level and name.split(".")[0] in OPTIONAL:
            pytest.fail(f"{name} is optional: import it inside a function")
        if name.startswith("mmengine") and room(path) in HEAVY:
            assert ".".join(name.split(".")[:2]) in HEAVY[room(path)], f"{room(path)} may not import {name}"


def test_every_room_is_in_the_table() -> None:
    assert {room(path) for path in FILES} == set(MAY_IMPORT)


def test_nothing_imports_tools() -> None:
    assert not [path for path in FILES if any(name.split(".")[0] == "tools" for name, _ in imported(path))]


def loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(' '.join(sys.modules))"
    return set(
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.split()
    )


def test_a_distiller_imports_no_runner_data_set_or_opencv() -> None:
    loaded = loaded_by("from kdbench.distillers import KD")
    assert "kdbench.distillers.kd" in loaded
    unwanted = (
        "mmengine.runner",
        "mmengine.model",
        "kdbench.datasets",
        "kdbench.models",
        "kdbench.engine",
        "cv2",
    )
    assert not loaded & set(unwanted)


def test_importing_the_package_imports_nothing_else() -> None:
    assert not {name for name in loaded_by("import kdbench") if name in ("torch", "numpy", "mmengine")}
