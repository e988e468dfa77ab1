"""Options of the test run."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# As make test does. Tools fork in this process, and a second thread of OpenMP has aborted it.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# A busy machine is slow and the first call of a process warms torch up: neither is a defect.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

GOLDEN = Path(__file__).parent / "golden" / "losses.json"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """One more test at a time than there are cores: many wait for processes of their own."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None  # xdist reads it
    return len(os.sched_getaffinity(0)) + 1


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--golden",
        type=Path,
        default=GOLDEN,
        help="a file of golden numbers in the layout of tests/golden/losses.json",
    )
