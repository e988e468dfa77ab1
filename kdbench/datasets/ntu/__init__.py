"""NTU RGB+D 60 and 120: names, protocols, skeleton files."""

from .dataset import NTU

__all__ = ["NTU"]
