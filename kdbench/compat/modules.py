"""Modules that are put in, or taken out, by hand."""

import importlib.machinery
import sys
import types


def forget(package: str) -> None:
    """Take a package that did not import to its end out of the modules."""
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        del sys.modules[name]


def empty_module(name: str, is_package: bool = False) -> types.ModuleType:
    """A module of this name with nothing in it; it has a spec, which mmengine asks for."""
    module = types.ModuleType(name)
    module.__spec__ = importlib.machinery.ModuleSpec(name, None, is_package=is_package)
    if is_package:
        module.__path__ = []
    return module
