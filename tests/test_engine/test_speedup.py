"""A run whose teacher was sped up goes on with the same means, and shares that teacher in a cohort."""

import pytest

from kdbench.engine import CheckpointError
from kdbench.engine.checkpoint import checkpoints, read_checkpoint
from kdbench.engine.cohort import Cohort
from kdbench.models.cohort import shared_teachers
from kdbench.models.role import Role
from kdbench.models.speedup import Tryout

from . import toy
from .kills import outcome
from .test_cohort import Member, of_distillation, outcomes, taught
from .test_resume import StopAt


def options(asked: str | None, number: int = 0, **more) -> dict:
    return of_distillation(number, model={**taught(number), "teacher_speedup": asked}, **more)


def test_a_run_that_goes_on_takes_what_was_taken(tmp_path, monkeypatch):
    toy.runner(tmp_path / "whole", **options("bf16")).train()
    monkeypatch.setattr(
        Tryout, "_seconds", lambda self, found: {means: -("bf16" in means) for means in found}
    )
    with pytest.raises(InterruptedError):
        toy.runner(tmp_path / "half", **options("auto", custom_hooks=[StopAt(11)])).train()
    assert read_checkpoint(checkpoints(tmp_path / "half")[0])["hooks"]["SpeedUpTeacher"] == {
        "taken": ["bf16"]
    }
    # Now everything else would be faster, were it asked again.
    monkeypatch.setattr(Tryout, "_seconds", lambda self, found: {means: "bf16" in means for means in found})
    run = toy.runner(tmp_path / "half", **options("auto", resume=True))
    run.train()
    assert run.model.sped_up.means == ("bf16",)
    tensors, files = outcome(tmp_path / "half")[::2]  # between them: what was asked for, which differs
    assert (tensors, files) == outcome(tmp_path / "whole")[::2]


def test_a_plain_run_does_not_go_on_with_a_faster_teacher(tmp_path):
    with pytest.raises(InterruptedError):
        toy.runner(tmp_path, **options(None, custom_hooks=[StopAt(9)])).train()
    with pytest.raises(CheckpointError, match="teacher_speedup None"):
        toy.runner(tmp_path, **options("fold", resume=True)).train()


def test_what_is_tried_changes_no_random_number(tmp_path):
    toy.runner(tmp_path / "without", **options(None)).train()
    run = toy.runner(tmp_path / "with", **options(dict(means="auto", error=-1.0)))
    run.train()
    assert run.model.sped_up.means == ()
    assert outcome(tmp_path / "with")[0] == outcome(tmp_path / "without")[0]


def test_members_of_a_cohort_share_the_faster_teacher(tmp_path, monkeypatch):
    for number in (0, 1):
        toy.runner(tmp_path / "alone" / str(number), **options("fold+bf16", number)).train()
    asked, told = [], Role.told

    def counted(role, inputs):
        asked.append(role.means)
        return told(role, inputs)

    def member(number: int) -> Member:
        return Member(str(number), lambda: toy.runner(tmp_path / str(number), **options("fold+bf16", number)))

    cohort = Cohort([member(0), member(1)], shared_teachers)
    advance = Member.advance

    def watched(one):
        monkeypatch.setattr(Role, "told", counted)
        advance(one)

    monkeypatch.setattr(Member, "advance", watched)
    assert cohort.run() == 0
    assert outcomes(tmp_path, range(2)) == outcomes(tmp_path / "alone", range(2))
    assert asked.count(("fold", "bf16")) == 2 * 8  # once a batch
