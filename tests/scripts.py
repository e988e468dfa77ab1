"""The scripts of tools/ as modules."""

import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from unittest.mock import patch

TOOLS = Path(__file__).parents[1] / "tools"
PREPARE = TOOLS / "prepare"


@cache
def script(name: str) -> ModuleType:
    """A script by its path below tools/: ``"check"``, ``"prepare/ntu"``.

    It finds the files of its own folder, as when it is run; a name of its own keeps it apart from a package's module,
    and lets processes that it starts look its functions up.
    """
    path = TOOLS / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"tools_{name.replace('/', '_')}", path)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    with patch.object(sys, "path", [str(path.parent), *sys.path]):
        spec.loader.exec_module(module)
    return module
