"""The scripts of tools/prepare, which import each other as files of one folder."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).parents[1] / "tools" / "prepare"


def script(name: str) -> ModuleType:
    """A script as a module; ``prepare_`` keeps it apart from a package's module of the same name."""
    sys.path.insert(0, str(FOLDER))
    try:
        spec = importlib.util.spec_from_file_location(f"prepare_{name}", FOLDER / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(FOLDER))
    return module
