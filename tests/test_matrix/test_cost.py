"""Estimates: from what is most like a cell, and what the whole takes with several at a time."""

import dataclasses
from itertools import permutations
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdbench.matrix.cells import Cell
from kdbench.matrix.cost import Costs, makespan, sources

CELL = Cell(
    "kd/d_t_s",
    "configs/kd/d_t_s.py",
    0,
    "",
    "f",
    {"data": "d", "teacher": "t", "student": "s"},
    {},
    {},
    epochs=4,
)


def result(row="other/d_t_s", wall=10.0, epochs=2, smoke=False, **parts):
    parts = {"data": "d", "teacher": "t", "student": "s", **parts}
    return {
        "status": "ok",
        "row": row,
        "epochs": epochs,
        "config": {"parts": parts, "smoke": smoke},
        "train": {"wall_seconds": wall},
    }


def test_the_narrowest_measurement_counts() -> None:
    costs = Costs()
    assert costs.estimate(CELL).seconds is None
    steps = [
        (result(student="x"), "rows with the same data", 20.0),
        (result(teacher="x", wall=12.0), "rows with the same data and student", 24.0),
        (result(wall=14.0), "rows with the same data, teacher and student", 28.0),
        (result("kd/d_t_s", wall=16.0, epochs=4), "the same row", 16.0),
    ]
    for found, source, seconds in steps:
        costs.add_result(found)
        estimate = costs.estimate(CELL)
        assert estimate.source == source
        if source == "the same row":
            assert estimate.seconds == seconds
    assert costs.estimate(dataclasses.replace(CELL, smoke=True)).seconds is None
    assert costs.estimate(dataclasses.replace(CELL, row="kd/z", parts={"data": "z"})).seconds is None


def test_the_median_over_seeds_scaled_by_epochs() -> None:
    costs = Costs()
    for wall in (10.0, 11.0, 90.0):
        costs.add_result(result("kd/d_t_s", wall=wall))
    assert costs.estimate(CELL).seconds == 22.0


def test_metafiles_and_calibrations_count() -> None:
    costs = Costs()
    costs.add_calibration(CELL, 3.0)
    other = dataclasses.replace(CELL, row="crd/d_t_s")
    assert costs.estimate(other) == (12.0, "a calibration")
    about = {"Data": "d", "Student": "s", "Teacher": {"Part": "t"}, "Seconds": 5.0, "Epochs": 1}
    costs.add_metafile({"Name": "kd/d_t_s", "Metadata": about})
    assert costs.estimate(CELL) == (20.0, "the same row")
    costs.add_metafile({"Name": "x/y", "Metadata": {**about, "Seconds": None}})
    found = sources([costs.estimate(CELL), costs.estimate(other), Costs().estimate(CELL)])
    assert found == "1 from the same row, 1 from a calibration, 1 unknown"


def simulated(order, after, seconds, jobs) -> float:
    """The same by small steps of time: whoever is first in the order and ready takes a free place."""
    waiting, running, done, time = list(order), {}, set(), 0
    while waiting or running:
        for key in list(waiting):
            if len(running) >= jobs or not set(after[key]) <= done:
                break  # in order: nobody overtakes
            running[key] = time + seconds[key]
            waiting.remove(key)
        time += 1
        for key in [key for key, end in running.items() if end <= time]:
            del running[key]
            done.add(key)
    return time


@given(seconds=st.lists(st.integers(1, 9), min_size=1, max_size=8), jobs=st.integers(1, 4))
def test_without_waiting_the_whole_is_what_a_clock_would_say(seconds, jobs) -> None:
    keys = [str(k) for k in range(len(seconds))]
    after = {key: () for key in keys}
    plan = SimpleNamespace(after=after)
    values = dict(zip(keys, seconds, strict=True))
    assert makespan(plan, keys, values, jobs) == simulated(keys, after, values, jobs)


def test_students_wait_for_their_teacher() -> None:
    plan = SimpleNamespace(after={"t": (), "a": ("t",), "b": ("t",)})
    assert makespan(plan, ["t", "a", "b"], {"t": 5.0, "a": 2.0, "b": 3.0}, 2) == 8.0
    assert makespan(plan, ["t", "a", "b"], {"t": 5.0, "a": 2.0, "b": 3.0}, 1) == 10.0
    assert makespan(plan, ["t", "a", "b"], {"t": 5.0, "a": None, "b": 3.0}, 1) == 12.0
    assert makespan(plan, [], {}, 2) == 0.0
    for order in permutations("ab"):
        assert makespan(plan, order, {"a": 2.0, "b": 3.0}, 2) == pytest.approx(3.0)
