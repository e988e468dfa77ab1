"""NTU RGB+D 60 and 120: names, protocols, skeleton files, videos."""

from .dataset import NTU, NTUTakes

__all__ = ["NTU", "NTUTakes"]
