"""Where cells run: processes of this machine, a Ray cluster, or Slurm; one interface for the three."""

from .base import Engine, Outcome
from .local import Local

ENGINES = ("local", "ray", "slurm")

__all__ = ["ENGINES", "Engine", "Local", "Outcome", "make_engine"]


def make_engine(name: str, jobs: int, threads: int, **options: object) -> Engine:
    """The engine of that name; one whose package is missing is a ``MissingPackageError`` with what to install."""
    if name == "local":
        return Local(jobs, threads, **options)  # type: ignore[arg-type]
    if name == "ray":
        from .ray_cluster import RayCluster

        return RayCluster(jobs, threads, **options)  # type: ignore[arg-type]
    if name == "slurm":
        from .slurm import Slurm

        return Slurm(jobs, threads, **options)  # type: ignore[arg-type]
    raise ValueError(f"no engine is called '{name}'; there is: {', '.join(ENGINES)}")
