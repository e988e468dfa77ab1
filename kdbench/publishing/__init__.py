"""Trained students as folders to give away: weights and data about them, nothing that runs."""

from .artefact import publish
from .card import HUB_NAMESPACE
from .hub import upload
from .loading import Artefact, disagreements, load
from .zoo_entry import enter_weights

__all__ = [
    "HUB_NAMESPACE",
    "Artefact",
    "disagreements",
    "enter_weights",
    "load",
    "publish",
    "upload",
]
