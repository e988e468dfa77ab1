"""Why a config cannot be read: its file and line, what stands there, near matches."""

import ast
import traceback
from collections.abc import Iterator
from pathlib import Path

from ..registry import near


def import_problem(path: Path) -> str | None:
    """What is wrong with the first import of base files that finds nothing; None where all find what they ask for."""
    for statement in _base_imports(path):
        where = f"{path}, line {statement.lineno}"
        file = _file(path, statement)
        if not file.is_file():
            known = {other.stem for other in file.parent.glob("*.py")}
            return f"{where}: there is no {file}; {near(file.stem, known)}"
        problem = import_problem(file)
        if problem is not None:
            return problem
        known = _names(file)
        for alias in statement.names:
            if alias.name != "*" and alias.name not in known:
                return f"{where}: {file} has no '{alias.name}'; {near(alias.name, known)}"
    return None


def syntax_problem(path: Path) -> str | None:
    """Where a config or one of its base files is no Python."""
    try:
        imports = list(_base_imports(path))
    except SyntaxError as error:
        return f"{path}, line {error.lineno}: {error.msg}"
    problems = (syntax_problem(file) for file in (_file(path, i) for i in imports) if file.is_file())
    return next((problem for problem in problems if problem), None)


def name_problem(error: NameError) -> str:
    """Which name a config uses that nothing gave."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{frame.filename}, line {frame.lineno}: {error}; {near(error.name or '', _names(Path(frame.filename)))}"


def _base_imports(path: Path) -> Iterator[ast.ImportFrom]:
    """The imports under ``read_base`` of files beside or above this one."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = (node for block in tree.body if isinstance(block, ast.With) for node in block.body)
    return (node for node in nodes if isinstance(node, ast.ImportFrom) and node.level and node.module)


def _file(path: Path, statement: ast.ImportFrom) -> Path:
    """The file that an import of base files reads."""
    folder = path.resolve().parents[statement.level - 1]
    file = folder / f"{(statement.module or '').replace('.', '/')}.py"
    return file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file


def _names(path: Path) -> set[str]:
    """What stands in a config under a name, that of its base files included."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom | ast.Import):
            names |= {alias.asname or alias.name for alias in node.names if alias.name != "*"}
    for statement in _base_imports(path):
        if any(alias.name == "*" for alias in statement.names):
            names |= _names(_file(path, statement))
    return names - {"read_base"}
