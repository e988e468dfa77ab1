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


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--golden",
        type=Path,
        default=GOLDEN,
        help="a file of golden numbers in the layout of tests/golden/losses.json",
    )
