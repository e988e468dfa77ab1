"""Which cells a matrix has, in which order, and what it leaves out or refuses."""

from itertools import product
from pathlib import Path

import pytest

from kdbench.compose import compose
from kdbench.matrix import cells as cells_module
from kdbench.matrix.cells import AMP, Cell, maker
from kdbench.matrix.files import Matrix, Wish
from kdbench.matrix.plan import clear, others
from tests.scripts import script

from .toys import ALONE, KD, STEM, TEACHER, finish, plan_of


def names(plan) -> list[str]:
    return [str(cell) for cell in plan.cells.values()]


def test_a_teacher_is_found_by_itself_and_comes_before_its_student(folder) -> None:
    plan = plan_of(folder, f'rows = [dict(row="{KD}")]\nseeds = (0, 3)')
    assert names(plan) == [f"{row} seed {seed}" for seed in (0, 3) for row in (TEACHER, KD)]
    student, teacher = (f"work_dirs/{row}/seed3" for row in (KD, TEACHER))
    assert plan.after[student] == (teacher,)
    assert plan.after[teacher] == ()
    assert plan.asked == {f"work_dirs/{KD}/seed{seed}" for seed in (0, 3)}
    assert plan.cells[student].starts == (f"{teacher}/student.safetensors",)


@pytest.mark.parametrize("smoke", [False, True])
def test_a_cell_is_what_its_command_line_composes(folder, smoke, monkeypatch) -> None:
    options = {"model.distiller.tau": 2.0, "optim_wrapper.optimizer.betas": [0.8, 0.9]}
    plan = plan_of(
        folder,
        f'rows = [dict(row="{KD}", student="wave_inertial_wide", distiller="wave_kd", options={options})]\n'
        'amp = "bf16"\nseeds = (2,)',
        smoke=smoke,
    )
    (key,) = plan.asked
    cell = plan.cells[key]
    train = script("train")
    monkeypatch.setattr("sys.argv", ["train.py", *cell.arguments])
    arguments = train.parse()
    config = train.command.composed(arguments)
    assert config.work_dir == cell.folder
    assert (config.row.sha256, config.row.seed, config.row.name) == (cell.sha256, 2, cell.row)
    assert arguments.amp == "bf16"
    assert AMP == train.PRECISIONS
    assert Cell.from_dict(cell.as_dict()) == cell


def test_the_cells_of_several_seeds_are_those_composed_one_by_one(folder) -> None:
    matrix = Matrix("toy", Path("configs/matrices/toy.py"), ())
    wish = Wish(Path(f"configs/{KD}.py"), {"teacher": "wave_skeleton_wide"}, {}, (0, 11))
    for cell, seed in zip(cells_module.cells_of(wish, matrix, False), wish.seeds, strict=True):
        config = compose(wish.path, teacher="wave_skeleton_wide", seed=seed)
        assert (cell.seed, cell.sha256, cell.row) == (seed, config.row.sha256, config.row.name)
        assert cell.starts == (config.model.teacher.weights,) == (f"zoo/wide-{seed}.safetensors",)


def test_a_smoke_plan_stays_among_smoke_runs(folder) -> None:
    plan = plan_of(folder, f'rows = [dict(row="{KD}")]\nseeds = (0,)', smoke=True)
    assert list(plan.cells) == [f"work_dirs/smoke/{row}/seed0" for row in (TEACHER, KD)]


def test_two_cells_of_one_content_are_run_once(folder) -> None:
    text = f'rows = [dict(row="{KD}"), dict(row="{KD}", student="wave_inertial")]\nseeds = (0,)'
    plan = plan_of(folder, text)
    first, second = f"work_dirs/{KD}/seed0", f"work_dirs/{KD}+student=wave_inertial/seed0"
    assert plan.same == {second: first}
    assert second not in plan.cells
    cell = plan.cells[first]
    finish(Cell.from_dict({**cell.as_dict(), "folder": second, "row": f"{KD}+student=wave_inertial"}))
    assert plan_of(folder, text).same == {first: second}  # the one that has run stands for both


def test_all_distillers_are_those_that_fit_and_rows_stand_for_their_parts(folder) -> None:
    own = folder / f"configs/hinted/{STEM}.py"
    own.parent.mkdir(exist_ok=True)
    row = (folder / f"configs/{KD}.py").read_text()
    own.write_text(
        row.replace(
            "from .._base_.runtime",
            "from .._base_.distillers.toys import wave_hint as distiller\n    from .._base_.runtime",
        ).replace("distiller = dict(type=WaveKD, tau=3.0)\n", "")
    )
    parts = folder / "configs/_base_/distillers/toys.py"
    text = parts.read_text()
    parts.write_text(text + "wave_old = dict(type=WaveKD)\nwave_bad = dict(type=WaveKD, taau=1.0)\n")
    try:
        plan = plan_of(
            folder, f'rows = [dict(row="{KD}", distiller="all", without=("*_old",))]\nseeds = (0,)'
        )
    finally:
        parts.write_text(text)
        own.unlink()
    assert {plan.cells[key].row for key in plan.asked} == {f"{KD}+distiller=wave_kd", f"hinted/{STEM}"}
    reasons = {found.part: found.reason for found in plan.left_out}
    assert reasons["wave_old"] == "left out by the matrix: '*_old'"
    assert "taau" in reasons["wave_bad"]
    assert set(reasons) == {"wave_old", "wave_bad"}


def test_a_combination_that_cannot_run_is_refused_with_all_others(folder) -> None:
    with pytest.raises(ValueError, match="cannot run") as caught:
        plan_of(
            folder, f'rows = [dict(row="{KD}", student=("nothing", "wave_inertial"), distiller=("x", "y"))]'
        )
    assert str(caught.value).count("cannot run:") == 4
    assert "no part in models is called 'nothing'" in str(caught.value)


def test_a_weight_file_from_nowhere_is_refused(folder) -> None:
    text = f'rows = [dict(row="{KD}", teacher="wave_skeleton_wide")]\nseeds = (5,)'
    with pytest.raises(
        ValueError, match=r"starts from zoo/wide-5\.safetensors, which is not there, and no row makes"
    ):
        plan_of(folder, text)
    Path("zoo").mkdir(exist_ok=True)
    Path("zoo/wide-5.safetensors").touch()
    assert len(plan_of(folder, text).cells) == 1


def test_options_that_a_command_line_would_change_are_refused(folder) -> None:
    with pytest.raises(ValueError, match="reads as 1 on a command line"):
        plan_of(folder, f'rows = [dict(row="{ALONE}", options={{"log_level": "1"}})]')


def test_the_maker_of_a_swapped_file_has_the_swaps() -> None:
    found = maker(f"work_dirs/{KD}+student=wave_inertial_wide/seed3/student.safetensors", Path("configs"))
    assert found == Wish(Path(f"configs/{KD}.py"), {"student": "wave_inertial_wide"}, {}, (3,))
    assert maker("work_dirs/no/row/seed3/student.safetensors", Path("configs")) is None
    assert maker(f"work_dirs/{KD}+model.tau=3/seed3/student.safetensors", Path("configs")) is None


def test_what_is_done_needs_neither_itself_nor_its_teacher(folder) -> None:
    text = f'rows = [dict(row="{KD}"), dict(row="{ALONE}")]\nseeds = (6, 7)'
    for cell in plan_of(folder, text).cells.values():
        if cell.row == KD and cell.seed == 6:
            finish(cell)
    plan = plan_of(folder, text)
    rows = {(plan.cells[key].row, plan.cells[key].seed) for key in plan.needed}
    assert rows == set(product([ALONE], (6, 7))) | {(TEACHER, 7), (KD, 7)}


def test_another_run_s_files_are_refused_or_moved_aside(folder) -> None:
    text = f'rows = [dict(row="{ALONE}")]\nseeds = (8,)'
    plan = plan_of(folder, text)
    (cell,) = plan.cells.values()
    finish(Cell.from_dict({**cell.as_dict(), "sha256": "0" * 64}))
    plan = plan_of(folder, text)
    assert [found for found, _ in others(plan)] == [cell]
    with pytest.raises(ValueError, match=r"config hash 00000000, now .*\n--move-aside moves them"):
        clear(plan, False)
    assert Path(cell.folder, "result.yml").is_file()
    (line,) = clear(plan, True)
    moved = Path(line.rpartition(" ")[2])
    assert moved.parts[:2] == ("work_dirs", "aside")
    assert (moved / "result.yml").is_file()
    assert not Path(cell.folder).exists()
    assert plan.verdicts[cell.folder].state == "open"
