"""The hash of the code that decides a value: the modules of some classes, and all of ours that these import."""

import ast
import hashlib
import importlib.util
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

_INSTALLED = [Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "purelib", "platlib")]
_OURS = Path(__file__).resolve().parent.parent


def code_hashes(classes: Iterable[type]) -> dict[str, str]:
    """Module name -> hash of its syntax, for classes, their bases and whatever of the same kind they import.

    Comments, docstrings and layout do not count. What is installed (torch, timm, ...) is left out: it has versions.
    """
    waiting = {base.__module__ for kind in classes for base in kind.__mro__}
    # To look a module up, its package is imported: none is that nobody asked for.
    roots = {_root(name) for name in waiting if _source(name)} | {_root(__name__)}
    found: dict[str, str] = {}
    while waiting:
        name = waiting.pop()
        path = _source(name)
        if path is None or name in found:
            continue
        found[name] = _hash(path)
        waiting |= {other for other in _imports(name, path) if _root(other) in roots} - found.keys()
    return dict(sorted(found.items()))


def _root(name: str) -> str:
    return name.partition(".")[0]


def _source(name: str) -> Path | None:
    """The file of a module that is ours or the user's."""
    module = sys.modules.get(name)
    file = getattr(module, "__file__", None)
    if module is None:
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, ValueError, AttributeError):
            return None
        file = spec.origin if spec else None
    if not file or not file.endswith(".py"):
        return None
    path = Path(file).resolve()
    is_installed = any(path.is_relative_to(folder) for folder in _INSTALLED)
    return path if path.is_relative_to(_OURS) or not is_installed else None


def _hash(path: Path) -> str:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and body:
            first = body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = body[1:]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:16]


def _imports(name: str, path: Path) -> Iterator[str]:
    """Absolute names that a module imports from; of ``from a import b``, both ``a`` and ``a.b``."""
    is_package = path.name == "__init__.py"
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = name.split(".")
            keep = len(parts) - node.level + is_package
            base = ".".join([*(parts[:keep] if node.level else []), *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
