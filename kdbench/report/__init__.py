"""The leaderboard: runs and recorded rows as one HTML page that opens from disk."""

from .latency import UNMEASURED, read_latencies
from .page import page
from .payload import payload
from .read import read_runs

__all__ = ["UNMEASURED", "page", "payload", "read_latencies", "read_runs"]
