"""A run from its first step to its record, all at once or in turns."""

from collections.abc import Generator
from typing import Any

from mmengine.dist import is_main_process

from .hooks import DivergedError
from .record import final_test, record_failure
from .runner import Runner

Course = Generator[Any, Any, dict[str, Any]]


def course(runner: Runner) -> Course:
    """Train, test and record, with the pauses of ``Runner.turns``; ends with the metrics of the last epoch.

    Losses or weights that are not finite leave a record that says so, and are a ``DivergedError``.
    """
    try:
        yield from runner.turns()
    except DivergedError as error:
        if is_main_process():
            record_failure(runner, "diverged", str(error))
        raise
    return final_test(runner)


def run(runner: Runner) -> dict[str, Any]:
    """The same without pauses; gives the metrics."""
    whole = course(runner)
    while True:
        try:
            next(whole)
        except StopIteration as end:
            return dict(end.value)
