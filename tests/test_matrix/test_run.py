"""What becomes of cells whose processes end in every way there is, on an engine that does as it is told."""

import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from kdbench.matrix.cost import Costs
from kdbench.matrix.engines import Outcome
from kdbench.matrix.folder import Folder
from kdbench.matrix.process import BUSY, task_of
from kdbench.matrix.run import Run, left, progress
from kdbench.matrix.show import Live, Plain, closing_text, duration, plan_text, worker_lines
from tests.toy_project import ROOT

from .toys import ALONE, KD, STILL, TEACHER, Obedient, events, finish, plan_of

TOOL = ROOT / "tools" / "train.py"


@pytest.fixture
def start(folder, tmp_path, monkeypatch):
    """Starts a matrix in a folder of the test's own; gives the run and its exit code."""
    (tmp_path / "configs").symlink_to(folder / "configs")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("kdbench.matrix.run.BUSY_PAUSE", 0.0)

    def begin(act, text=f'rows = [dict(row="{KD}"), dict(row="{ALONE}")]\nseeds = (0,)', **options):
        jobs = options.pop("jobs", 1)
        plan = plan_of(tmp_path, text)
        place = Folder("toy")
        place.claim()
        run = Run(plan, Obedient(act, jobs), place, TOOL, **options)
        code = run.go()
        place.lock.release()
        return run, code

    return begin


def done(cell, attempt) -> int:
    finish(cell)
    return 0


def states(run) -> dict[str, str]:
    return {str(run.plan.cells[key]): status.state for key, status in run.status.items()}


def test_everything_runs_once_in_order_and_never_again(start) -> None:
    run, code = start(done)
    assert (code, set(states(run).values())) == (0, {"done"})
    order = [str(cell) for cell in run.engine.started]
    assert sorted(order) == sorted(states(run))
    assert order.index(f"{TEACHER} seed 0") < order.index(f"{KD} seed 0")
    run, code = start(lambda cell, attempt: 1 / 0)
    assert (code, run.counts) == (0, {"done before": 3})


def test_cells_of_one_teacher_are_handed_out_together(start) -> None:
    run, _ = start(
        done, f'rows = [dict(row="{KD}", distiller=("wave_kd", "wave_hint"))]\nseeds = (0, 1, 2)', jobs=1
    )
    starts = [cell.starts for cell in run.engine.started if cell.starts]
    assert starts == sorted(starts)
    assert len(starts) == 6


def test_a_failed_cell_keeps_its_error_and_blocks_what_waits_for_it(start) -> None:
    def act(cell, attempt):
        if cell.row == TEACHER:
            log = Path(task_of(cell, TOOL, Folder("toy").log_of(cell), 1)["log"])
            log.write_text("a line\nerror: the house is on fire\n")
            return 2
        return done(cell, attempt)

    run, code = start(act)
    assert code == 1
    assert states(run) == {
        f"{TEACHER} seed 0": "failed",
        f"{KD} seed 0": "blocked",
        f"{ALONE} seed 0": "done",
    }
    text = closing_text(run, lambda head, rows: str(rows))
    assert (
        "exit code 2; the end of work_dirs/matrices/toy/logs/baseline-waves_wave_skeleton-seed0.log" in text
    )
    assert "error: the house is on fire" in text
    assert f"blocked: {KD} seed 0 by {TEACHER} seed 0" in text
    (failed,) = [
        c
        for c in json.loads(Path("work_dirs/matrices/toy/progress.json").read_text())["cells"]
        if c["state"] == "failed"
    ]
    assert failed["error"].endswith("error: the house is on fire")
    assert failed["attempts"] == 1
    run, code = start(done)  # the cause is gone: what failed is tried again, what was done is not
    assert code == 0
    assert {cell.row for cell in run.engine.started} == {TEACHER, KD}


def test_a_process_that_ends_well_and_leaves_nothing_has_failed(start) -> None:
    run, code = start(lambda cell, attempt: 0)
    assert code == 1
    assert {s.reason for s in run.status.values() if s.state == "failed"} == {
        "it ended without a whole result"
    }


@pytest.mark.parametrize("end", [-9, 75, None])
def test_what_was_killed_goes_on_a_bounded_number_of_times(start, end) -> None:
    run, code = start(lambda cell, attempt: end, f'rows = [dict(row="{ALONE}")]\nseeds = (0,)', retries=2)
    (status,) = run.status.values()
    assert (code, status.state, status.attempts) == (1, "failed", 3)
    assert re.search(
        r"(SIGKILL|exit code 75|worker is gone), 3 times in a row without a new checkpoint", status.reason
    )


def test_progress_between_deaths_gives_new_tries(start) -> None:
    def act(cell, attempt):
        if attempt == 12:
            return done(cell, attempt)
        Path(cell.folder).mkdir(parents=True, exist_ok=True)
        Path(cell.folder, "last_checkpoint").write_text(f"step_{attempt // 2}.safetensors")
        return -9

    run, code = start(act, f'rows = [dict(row="{ALONE}")]\nseeds = (0,)', retries=2)
    (status,) = run.status.values()
    assert (code, status.state, status.attempts) == (0, "done", 12)


def test_a_cell_that_runs_elsewhere_is_waited_for(start) -> None:
    run, code = start(
        lambda cell, attempt: done(cell, attempt) if attempt > 2 else BUSY,
        f'rows = [dict(row="{ALONE}")]\nseeds = (0,)',
        retries=0,
    )
    (status,) = run.status.values()
    assert (code, status.state, status.attempts) == (0, "done", 1)


def test_a_stop_asks_then_kills_and_starts_nothing_new(start) -> None:
    looks: list[Run] = []

    def act(cell, attempt):
        looks[-1].stop()
        return -9 if looks[-1].engine.stops == [False, True] else STILL

    run, code = start(act, listen=looks.append)
    assert code == 75
    assert len(run.engine.started) == 1
    assert set(states(run).values()) == {"stopped"}


def test_the_live_display_names_counts_workers_and_epochs(start) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    with Live(console) as live:
        _, code = start(done, listen=live)
    assert code == 0
    shown = console.file.getvalue()
    assert f"{TEACHER} seed 0: epoch 0 of 2" in shown
    assert "3 of 3" in shown
    assert "toy: 3 done; left: 0 s" in shown


def test_jobs_run_at_a_time(start) -> None:
    run, _ = start(done, f'rows = [dict(row="{ALONE}")]\nseeds = (0, 1, 2, 3, 4)', jobs=3)
    assert run.engine.most == 3


def test_progress_and_time_left_follow_what_has_been_measured(start, capsys) -> None:
    seen, looks, plain = [], [], Plain()

    def act(cell, attempt):
        seen.append(left(looks[-1]))
        return done(cell, attempt)

    def listen(run):
        looks.append(run)
        plain(run)

    run, _ = start(act, f'rows = [dict(row="{ALONE}")]\nseeds = (0, 1)', listen=listen)
    assert seen[0] is None
    assert seen[1] >= 0
    assert progress(run)["counts"] == {"done": 2}
    assert progress(run)["seconds_left"] == 0
    out = capsys.readouterr().out
    assert re.search(rf"^{ALONE} seed 1: done \| toy: 2 done; left: 0 s$", out, re.M)
    assert not worker_lines(run)
    assert [e["event"] for e in events()] == ["begun", "started", "ended", "started", "ended", "ended"]


def test_the_plan_in_words(start) -> None:
    start(done, f'rows = [dict(row="{KD}", seeds=(0, 1))]')
    plan = plan_of(Path.cwd(), f'rows = [dict(row="{KD}"), dict(row="{ALONE}")]\nseeds = (0, 1, 2, 4)')
    costs = Costs()
    costs.add_run(next(c for c in plan.cells.values() if c.row == KD), 60.0)
    text = plan_text(
        plan, {k: costs.estimate(c) for k, c in plan.cells.items()}, 2, lambda head, rows: str(rows)
    )
    assert str([KD, "0-1", "is done before", TEACHER, "1 min 0 s"]) in text
    assert str([KD, "2 4", "runs", TEACHER, "1 min 0 s"]) in text
    assert "12 cells: 4 done before, 8 to run in 3 groups" in text
    assert re.search(r"time: about .* 2 from the same row", text)


def test_outcomes_in_words() -> None:
    assert [str(Outcome(*o)) for o in [(-9,), (2,), (None, "node lost"), (None,)]] == [
        "killed by SIGKILL",
        "exit code 2",
        "node lost",
        "its worker is gone",
    ]
    assert duration(3601) == "1 h 0 min"
