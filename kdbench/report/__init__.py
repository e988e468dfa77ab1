"""The leaderboard: runs and recorded rows as one HTML page that opens from disk."""

from .page import page
from .payload import payload
from .read import read_runs

__all__ = ["page", "payload", "read_runs"]
