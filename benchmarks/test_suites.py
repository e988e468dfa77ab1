"""The suites under pytest-benchmark, whose files hold their figures as ``extra_info``.

    python -m pytest benchmarks -s --benchmark-json FILE

The time that it tells is that of a whole suite; ``--benchmark-disable`` runs the quick form.
"""

import pytest

from benchmarks.__main__ import KNOWN, in_a_process


@pytest.mark.parametrize("suite", KNOWN)
def test_suite(benchmark, suite: str) -> None:
    found = benchmark.pedantic(in_a_process, (suite, benchmark.disabled), rounds=1)
    benchmark.extra_info.update(found)
    assert not found.get("failed"), found["notes"]
