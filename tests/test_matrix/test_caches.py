"""Cells read their teacher from a cache where one can serve them."""

from pathlib import Path

import pytest

from kdbench.engine.checkpoint import add_checkpoint
from kdbench.matrix.caches import read_teachers_from
from kdbench.matrix.cells import Cell
from kdbench.matrix.results import judge, write_stamp
from kdbench.records import read_record
from tests.test_matrix.deaths import slow_project, to_the_end

from .toys import ALONE, KD, TEACHER, plan_of

BORROWS = '"""Borrows a layer."""\nfrom kdbench.distillers import SimKD\n\nwave_borrows = dict(type=SimKD)\n'


def test_cells_with_a_teacher_are_told_the_folder(folder) -> None:
    plan = plan_of(folder, f'rows = [dict(row="{KD}"), dict(row="{ALONE}")]\nseeds = (0, 1)')
    assert read_teachers_from(plan, "kept") == []
    cached = {cell.row for cell in plan.cells.values() if cell.cache}
    assert cached == {KD}
    cell = plan.cells[f"work_dirs/{KD}/seed1"]
    assert cell.arguments[-3:] == ["--cache", "kept", "--build-cache"]
    assert Cell.from_dict(cell.as_dict()) == cell
    assert "--cache" not in plan.cells[f"work_dirs/{TEACHER}/seed1"].arguments


def test_a_row_that_borrows_from_the_teacher_runs_it_and_says_why(folder, monkeypatch) -> None:
    plan = plan_of(folder, f'rows = [dict(row="{KD}")]\nseeds = (0,)')
    part = folder / "configs/_base_/distillers/borrows.py"
    part.write_text(BORROWS)
    cell = plan.cells[f"work_dirs/{KD}/seed0"]
    swapped = Cell.from_dict({**cell.as_dict(), "swapped": {"distiller": "wave_borrows"}})
    monkeypatch.setitem(plan.cells, cell.folder, swapped)
    try:
        (line,) = read_teachers_from(plan, "kept")
    finally:
        part.unlink()
    assert line.startswith("with a live teacher: SimKD of ")
    assert "borrows the teacher's last layers" in line
    assert plan.cells[cell.folder].cache is None


@pytest.mark.parametrize(("before", "after"), [(None, "kept"), ("kept", None)])
def test_what_a_live_teacher_began_no_cached_one_goes_on_with(folder, before, after) -> None:
    (cell,) = (
        c for c in plan_of(folder, f'rows = [dict(row="{KD}")]\nseeds = (7,)').cells.values() if c.row == KD
    )
    first, second = (Cell.from_dict({**cell.as_dict(), "cache": cache}) for cache in (before, after))
    write_stamp(first)
    add_checkpoint(Path(cell.folder), 3, {"meta": {}}, 2)
    assert judge(first).state == "begun"
    assert judge(second).state == "other"
    assert f"cached {True if before else None}, now {True if after else None}" in judge(second).reason


@pytest.mark.slow
def test_a_matrix_builds_a_cache_and_its_cells_share_it(tmp_path) -> None:
    text = f'rows = [dict(row="{KD}", distiller=(None, "wave_hint"))]\nseeds = (0,)'
    folder = slow_project(tmp_path, seconds=0.0, text=text)
    code, out = to_the_end(folder, "--jobs", "2", "--cache", "kept")
    assert code == 0, out
    records = [read_record(path) for path in sorted(folder.glob("work_dirs/wave_kd/*/seed0/result.yml"))]
    assert len(records) == 2
    assert len({record["teacher_cache"]["key"] for record in records}) == 1
    assert len(list((folder / "kept").glob("*/manifest.json"))) == 1
