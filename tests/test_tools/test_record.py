"""tools/record.py keeps what was recorded."""

from pathlib import Path

import pytest

from tests.scripts import script

record = script("record")
FOLDER = Path("work_dirs/kd/row")


def entry(*seeds: int) -> dict:
    return {"Name": "kd/row", "Results": [{"Seeds": list(seeds)}]}


def recorded(*seeds: int) -> dict:
    return {Path("configs/kd/metafile.yml"): {"Collections": [], "Models": [entry(*seeds)]}}


@pytest.mark.parametrize("seeds", [(0, 1, 2), (0, 1, 2, 3, 4)])
def test_seeds_are_recorded_again_and_added(seeds: tuple[int, ...]) -> None:
    record.refuse_fewer_seeds({FOLDER: entry(*seeds)}, recorded(0, 1, 2))
    record.refuse_fewer_seeds({FOLDER: entry(*seeds)}, {})


@pytest.mark.parametrize("seeds", [(0,), (1, 2, 3)])
def test_recorded_seeds_do_not_go_by_the_way(seeds: tuple[int, ...]) -> None:
    now = ", ".join(map(str, seeds))
    with pytest.raises(ValueError, match=rf"--replace .*\n  - kd/row: recorded 0, 1, 2; {FOLDER} has {now}$"):
        record.refuse_fewer_seeds({FOLDER: entry(*seeds)}, recorded(0, 1, 2))
