"""A function over many files on all cores, with a progress bar; what is wrong with a file comes back, not up."""

import os
import threading
from collections.abc import Callable, Sequence
from typing import Any


def all_cores() -> int:
    """How many processes this machine runs at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def each(function: Callable[[Any], Any], tasks: Sequence[Any], jobs: int, description: str) -> list[Any]:
    """``function`` of each task, in their order; a task that raises ``InvalidDataError`` has that as its result.

    ``function`` is a module's, as are the classes of the tasks: with ``jobs`` above 1 they travel to other processes.
    """
    from rich.console import Console
    from rich.progress import track

    def shown(results: Any) -> list[Any]:
        return list(track(results, description, total=len(tasks), console=Console(stderr=True)))

    if jobs <= 1 or len(tasks) <= 1:
        return shown(_tried((function, task)) for task in tasks)
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    context = get_context("spawn")  # a fork of a process with threads may hang
    with ProcessPoolExecutor(min(jobs, len(tasks)), context, initializer=end_with_parent) as pool:
        return shown(pool.map(_tried, [(function, task) for task in tasks]))


def _tried(call: tuple[Callable[[Any], Any], Any]) -> Any:
    from kdbench.spec import InvalidDataError

    function, task = call
    try:
        return function(task)
    except InvalidDataError as error:
        return error


def end_with_parent() -> None:
    """A worker whose parent is killed would wait for its next task for ever."""
    from multiprocessing import parent_process

    def wait() -> None:
        parent_process().join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
