"""Members of a cohort end with the bits of their solo runs, whatever happens to them or to others."""

import os
import signal
import time

import pytest
import torch
from mmengine.hooks import Hook

from kdbench.backbones import InertialCNN
from kdbench.distillers import CRD, KD, FitNet, Sum
from kdbench.engine.cohort import Cohort, Member
from kdbench.engine.hooks import EXIT_PREEMPTED
from kdbench.engine.shares import shares
from kdbench.models import Distillation
from kdbench.models.cohort import shared_teachers
from kdbench.spec import IncompatibleError

from . import toy
from .kills import outcome
from .test_checkpoint import run_program
from .test_resume import Signals, StopAt

RATES = (2e-3, 1e-2, 5e-4)
SIZE, EPOCHS = 60, 2


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def rate(lr: float) -> dict:
    return dict(type="AdamW", lr=lr, weight_decay=0.02)


def options(number: int, **more) -> dict:
    """Three runs that differ in their learning rate; a schedule would hide it."""
    wrapper = {**toy.config("unused")["optim_wrapper"], "optimizer": rate(RATES[number])}
    tested = dict(
        test_dataloader=toy.loader(toy.Points(30, noisy=False), shuffle=False),
        test_cfg={},
        test_evaluator=[toy.Accuracy()],
    )
    return {"optim_wrapper": wrapper, "param_scheduler": None, **tested, **more}


def member(folder, number: int, **more) -> Member:
    place = folder / str(number)
    return Member(str(number), lambda: toy.runner(place, **options(number, **more)))


def outcomes(folder, numbers=range(3)) -> list[tuple]:
    return [outcome(folder / str(number)) for number in numbers]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    for number in range(3):
        toy.runner(folder / str(number), **options(number)).train()
    return outcomes(folder)


@pytest.mark.parametrize("workers", [0, 2])
def test_each_member_ends_as_it_does_alone(tmp_path, alone, workers):
    cohort = Cohort([member(tmp_path, number, workers=workers) for number in range(3)])
    assert cohort.run() == 0
    assert outcomes(tmp_path) == alone
    assert all(one.metrics["toy/accuracy"] >= 0 for one in cohort.members)


def test_clips_are_read_once(tmp_path):
    data, read = toy.Points(), []
    data.load, load = lambda index: read.append(index) or load(index), data.load
    Cohort([member(tmp_path, number, dataset=data) for number in range(3)]).run()
    compared = 3 * 2 * 2 * 2  # of each run two clips in two epochs, from its own data and from the shared
    assert len(read) == 4 * SIZE + compared


def test_a_member_that_fails_takes_nobody_with_it(tmp_path, alone):
    said = []
    broken = member(tmp_path, 1, hooks=[StopAt(13)])
    cohort = Cohort([member(tmp_path, 0), broken, member(tmp_path, 2)], say=said.append)
    assert cohort.run() == 1
    assert isinstance(broken.error, InterruptedError)
    assert "1: failed" in said[0]
    assert "InterruptedError" in said[0]
    assert outcomes(tmp_path, (0, 2)) == [alone[0], alone[2]]
    toy.runner(tmp_path / "1", resume=True, **options(1)).train()
    assert outcomes(tmp_path, (1,)) == [alone[1]]


def test_members_that_resume_at_different_places_meet(tmp_path, alone):
    stops = {0: 5, 1: 13, 2: 24}
    for number, step in stops.items():
        with pytest.raises(InterruptedError):
            toy.runner(tmp_path / str(number), **options(number, hooks=[StopAt(step)])).train()
    assert Cohort([member(tmp_path, number, resume=True) for number in stops]).run() == 0
    assert outcomes(tmp_path) == alone


class Terminate(Hook):
    """Sends this process a signal before a step."""

    def __init__(self, step):
        self.step = step

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == self.step:
            os.kill(os.getpid(), signal.SIGTERM)


def test_a_signal_has_all_save_and_leave(tmp_path, alone):
    before = signal.getsignal(signal.SIGTERM)
    cohort = Cohort(
        [member(tmp_path, 0), member(tmp_path, 1, hooks=[Terminate(12)]), member(tmp_path, 2)],
    )
    assert cohort.run() == EXIT_PREEMPTED
    assert [one.code for one in cohort.members] == [EXIT_PREEMPTED] * 3
    assert signal.getsignal(signal.SIGTERM) is before
    assert Cohort([member(tmp_path, number, resume=True) for number in range(3)]).run() == 0
    assert outcomes(tmp_path) == alone


class Scribble(Hook):
    """Writes into its batch after each step."""

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        data_batch["inputs"]["x"].zero_()


def test_a_member_that_writes_into_its_batch_spoils_nobody_elses(tmp_path, alone):
    Cohort([member(tmp_path, 0, hooks=[Scribble()]), member(tmp_path, 1), member(tmp_path, 2)]).run()
    assert outcomes(tmp_path) == alone


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (dict(randomness=dict(seed=1)), "its order of clips in epoch 0 is another \\(seed 1\\)"),
        (dict(train_dataloader=toy.loader(toy.Points(), batch_size=4)), "its batch_size is 4, the others' 8"),
        (dict(dataset=toy.Points(noisy=False)), "alone it would read Draw"),
        (dict(precision="bfloat16"), "it computes in torch.bfloat16, others in full precision"),
    ],
)
def test_who_would_not_get_what_it_gets_alone_is_refused(tmp_path, alone, other, reason):
    if "precision" in other:
        wrapper = {**options(1)["optim_wrapper"], **other}
        other = {"optim_wrapper": wrapper}
    refused = member(tmp_path, 1, **other)
    cohort = Cohort([member(tmp_path, 0), refused, member(tmp_path, 2)])
    assert cohort.run() == 1
    with pytest.raises(IncompatibleError, match=reason):
        raise refused.error
    assert outcomes(tmp_path, (0, 2)) == [alone[0], alone[2]]
    assert not list((tmp_path / "1").glob("step_*"))


METHODS = (
    dict(type=KD),
    dict(type=Sum, methods=[dict(type=CRD, num_negatives=20), dict(type=KD)]),
    dict(type=FitNet),
)


def taught(number: int) -> dict:
    return dict(
        type=Distillation,
        data=dict(name="toy", inputs=dict(inertial=(32, 6)), num_classes=toy.CLASSES, num_train=SIZE),
        student=dict(type=InertialCNN, width=6),
        teacher=dict(type=InertialCNN, width=8, weights="random"),
        distiller=METHODS[number],
    )


def of_distillation(number: int, **more) -> dict:
    loaders = {
        name: toy.loader(Signals(30, noisy=False), shuffle=False)
        for name in ("val_dataloader", "test_dataloader")
    }
    settings = dict(dataset=Signals(SIZE), model=taught(number), custom_hooks=None, epochs=EPOCHS, **loaders)
    return {**options(number), **settings, **more}


def student(folder, number: int) -> Member:
    place = folder / str(number)
    return Member(str(number), lambda: toy.runner(place, **of_distillation(number, resume=True)))


def test_one_teacher_is_asked_once_for_methods_that_read_different_taps(tmp_path, monkeypatch):
    for number in range(3):
        toy.runner(tmp_path / "alone" / str(number), **of_distillation(number)).train()
    asked, forward = [], InertialCNN.forward

    def counted(network, *inputs):
        asked.append(network.training)
        return forward(network, *inputs)

    cohort = Cohort([student(tmp_path, number) for number in range(3)], shared_teachers)
    turned, advance = [], Member.advance

    def watched(one):
        if not turned:
            monkeypatch.setattr(InertialCNN, "forward", counted)
        turned.append(one)
        advance(one)

    monkeypatch.setattr(Member, "advance", watched)
    assert cohort.run() == 0
    assert outcomes(tmp_path) == outcomes(tmp_path / "alone")
    batches, tests = EPOCHS * 8, 3 * 4 * (1 + 1)  # a validation and a test of four batches each
    assert asked.count(False) == batches + tests
    assert asked.count(True) == 3 * batches


def test_what_is_shared_and_what_is_not_is_measured(tmp_path, monkeypatch):
    data, forward = Signals(SIZE), InertialCNN.forward
    data.load, load = lambda index: time.sleep(0.002) or load(index), data.load
    run = toy.runner(tmp_path, **{**of_distillation(0), "train_dataloader": toy.loader(data)})

    def slow(network, *inputs):
        time.sleep(0.01 if network is run.model.teacher else 0.02)
        return forward(network, *inputs)

    monkeypatch.setattr(InertialCNN, "forward", slow)
    reading, teaching, own = shares(run, batches=2)
    assert reading >= 8 * 8 * 0.002
    assert teaching >= 8 * 0.01
    assert own > 0


@pytest.mark.slow
def test_a_cohort_that_is_killed_ends_bit_identical(tmp_path):
    assert "40 kills, all bit-identical" in run_program("cohort_kills", tmp_path, "--kills", 40)
