"""Where cells run: processes of this machine, a Ray cluster, or Slurm; one interface for the three."""

from importlib import import_module
from inspect import signature
from typing import Any

from .base import Engine, Outcome
from .local import Local

# Name -> module, class; the last two need a package that may not be there.
ENGINES = {"local": ("local", "Local"), "ray": ("ray_cluster", "RayCluster"), "slurm": ("slurm", "Slurm")}

__all__ = ["ENGINES", "Engine", "Local", "Outcome", "make_engine"]


def make_engine(name: str, jobs: int, threads: int, **options: Any) -> Engine:
    """The engine of that name; one whose package is missing is a ``MissingPackageError`` with what to install."""
    if name not in ENGINES:
        raise ValueError(f"no engine is called '{name}'; there is: {', '.join(ENGINES)}")
    module, kind = ENGINES[name]
    engine = getattr(import_module(f"{__name__}.{module}"), kind)
    takes = {*signature(engine).parameters} - {"jobs", "threads"}
    if unknown := [option for option in options if option not in takes and "parameters" not in takes]:
        raise ValueError(
            f"the engine '{name}' has no option '{unknown[0]}'; there is: {', '.join(sorted(takes))}"
        )
    found: Engine = engine(jobs, threads, **options)
    return found
