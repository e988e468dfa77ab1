"""Which cells go together, by what was measured, and what becomes of those that leave a cohort."""

import pytest

from kdbench.compose import compose
from kdbench.matrix.cohorts import Cohorts, Share, batches_of, candidates
from kdbench.matrix.engines import Outcome
from kdbench.matrix.folder import Folder
from kdbench.matrix.run import Run
from tests.toy_project import ROOT, command, write_project

from .toys import ALONE, KD, TEACHER, Obedient, events, finish, plan_of, write_matrix

TOOL = ROOT / "tools" / "train.py"
STUDENTS = f'rows = [dict(row="{KD}", distiller=("wave_kd", "wave_hint"))]\nseeds = (0, 1)'


def cohorts(shares: dict[str, tuple[float, float]], groups: dict[str, str]) -> Cohorts:
    return Cohorts(groups, {key: Share(*share) for key, share in shares.items()})


def parts(found: dict) -> list[int]:
    return sorted(len(part) for part in set(found.values()))


FOUR = dict.fromkeys("abcd", "group")


def test_one_place_has_all_in_one_process() -> None:
    found = cohorts(dict.fromkeys("abcd", (6.0, 3.0)), FOUR)
    assert parts(found.of("abcd", 1)) == [4]
    assert found.seconds([tuple("abcd")], 1) == 18.0
    assert found.seconds([(key,) for key in "abcd"], 1) == 36.0


def test_two_places_are_both_used() -> None:
    found = cohorts(dict.fromkeys("abcd", (6.0, 3.0)), FOUR)
    assert parts(found.of("abcd", 2)) == [2, 2]
    assert parts(found.of("abcd", 4)) == [1, 1, 1, 1]


def test_two_groups_have_a_place_each() -> None:
    groups = {**dict.fromkeys("abcd", "one"), **dict.fromkeys("efgh", "two")}
    found = cohorts(dict.fromkeys("abcdefgh", (6.0, 3.0)), groups)
    assert parts(found.of("abcdefgh", 2)) == [4, 4]


def test_cells_that_share_next_to_nothing_run_alone() -> None:
    found = cohorts(dict.fromkeys("abcd", (0.01, 3.0)), FOUR)
    assert parts(found.of("abcd", 1)) == [1, 1, 1, 1]


def test_what_was_not_measured_or_left_a_cohort_runs_alone() -> None:
    found = cohorts(dict.fromkeys("abc", (6.0, 3.0)), FOUR)
    found.alone.add("a")
    assert found.of("abcd", 1) == {"a": ("a",), "b": ("b", "c"), "c": ("b", "c"), "d": ("d",)}
    assert found.of([], 1) == {}


def test_no_cohort_is_larger_than_eight() -> None:
    names = [str(number) for number in range(20)]
    found = cohorts(dict.fromkeys(names, (6.0, 3.0)), dict.fromkeys(names, "group"))
    assert parts(found.of(names, 1)) == [6, 7, 7]


def test_candidates_have_data_teacher_seed_and_batches_in_common(folder) -> None:
    more = f', dict(row="{KD}", options={{"train_dataloader.batch_size": 4}}), dict(row="{ALONE}")]'
    plan = plan_of(folder, STUDENTS.replace("]\n", f"{more}\n", 1))
    found = {str(plan.cells[key]): text for key, text in candidates(plan).items()}
    kd, hint = KD, f"{KD}+distiller=wave_hint"
    assert {name.rsplit(" seed ")[0].split("+")[0] for name in found} == {KD}
    assert len(found) == 4
    by_seed = [{text for name, text in found.items() if name.endswith(f"seed {seed}")} for seed in (0, 1)]
    assert [len(texts) for texts in by_seed] == [1, 1]
    assert by_seed[0] != by_seed[1]
    assert not any("batch_size=4" in name for name in found)
    assert any(name.startswith(hint) for name in found), kd


def test_a_row_that_is_fitted_is_in_no_cohort(folder, monkeypatch) -> None:
    (cell, *_) = plan_of(folder, f'rows = [dict(row="{ALONE}")]').cells.values()
    assert batches_of(cell) != ""

    def fitted(*words, **options):
        config = compose(*words, **options)
        config.train_cfg["type"] = "FitLoop"
        return config

    monkeypatch.setattr("kdbench.matrix.cohorts.compose", fitted)
    assert batches_of(cell) == ""


@pytest.fixture
def start(folder, tmp_path, monkeypatch):
    """Runs the matrix of two methods and two seeds on an engine that does as told; gives the run and its code."""
    (tmp_path / "configs").symlink_to(folder / "configs")
    monkeypatch.chdir(tmp_path)

    def begin(act, **options):
        plan = plan_of(tmp_path, STUDENTS)
        keys = candidates(plan)
        found = Cohorts(keys, dict.fromkeys(keys, Share(6.0, 3.0)))
        place = Folder("toy")
        place.claim()
        engine = Obedient(act)
        run = Run(plan, engine, place, TOOL, cohorts=found, **options)
        code = run.go()
        place.lock.release()
        return run, code

    return begin


def starts() -> list[int]:
    """How many cells each start had with it."""
    return [len(event.get("cohort", [0])) for event in events() if event["event"] == "started"]


def test_cells_that_are_alike_start_together(start) -> None:
    run, code = start(lambda cell, attempt: finish(cell) and 0)
    assert (code, run.counts) == (0, {"done": 6})
    assert sorted(starts()) == [1, 1, 2, 2, 2, 2]
    assert not run.together


def test_one_that_fails_is_tried_alone_and_its_error_kept(start) -> None:
    def act(cell, attempt) -> int:
        if "wave_hint" in cell.row and cell.seed == 0:
            return 4
        finish(cell)
        return 0

    run, code = start(act)
    assert code == 1
    assert run.counts == {"done": 5, "failed": 1}
    (failed,) = [status for status in run.status.values() if status.state == "failed"]
    assert (failed.reason, failed.attempts) == ("exit code 4", 2)
    left = [event for event in events() if event["event"] == "left its cohort"]
    assert len(left) == 1
    assert "wave_hint" in left[0]["cell"]


def test_a_cohort_that_gets_nowhere_falls_apart(start) -> None:
    kills: list[str] = []

    def act(cell, attempt) -> int:
        if "teacher" in cell.parts and len(kills) < 2:
            kills.append(str(cell))
            return -9
        finish(cell)
        return 0

    run, code = start(act)
    assert (code, run.counts) == (0, {"done": 6})
    again = [event for event in events() if event["event"] == "requeued"]
    assert {event["why"] for event in again} == {str(Outcome(-9))}
    assert run.cohorts.alone == {key for key, status in run.status.items() if status.attempts > 1}


def test_a_matrix_with_cohorts_leaves_what_one_without_leaves(tmp_path_factory, monkeypatch) -> None:
    left = {}
    for name, words in {"together": (), "alone": ("--no-cohort",)}.items():
        project = write_project(tmp_path_factory.mktemp(name))
        monkeypatch.syspath_prepend(str(project))
        write_matrix(project, STUDENTS.replace("(0, 1)", "(0,)"))
        options = ("--jobs", "1", "--plain", *words)
        with monkeypatch.context() as patch:
            patch.setenv("PYTHONPATH", f"{ROOT}:{project}")
            done = command(project, "matrix", "configs/matrices/toy.py", *options)
        assert done.returncode == 0, done.stdout + done.stderr
        assert ("in one process: " in done.stdout) is (name == "together")
        place = project / "work_dirs/wave_kd"
        files = ("student.safetensors", "predictions.safetensors", "history.json")
        left[name] = {
            str(f.relative_to(place)): f.read_bytes() for n in files for f in place.glob(f"*/seed0/{n}")
        }
        assert len(left[name]) == 6
    assert left["together"] == left["alone"]


def test_teachers_without_students_of_theirs_are_no_candidates(folder) -> None:
    plan = plan_of(folder, f'rows = [dict(row="{TEACHER}"), dict(row="{ALONE}")]\nseeds = (0, 1)')
    assert candidates(plan) == {}
