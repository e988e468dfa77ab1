"""Seeds that train in one pass end as their solo runs do, to rounding, whatever happens to them or to others."""

import copy
import json
import signal
import sys

import pytest
import torch

from kdbench.backbones import InertialCNN
from kdbench.distillers import CRD, KD, FitNet, Sum
from kdbench.engine.checkpoint import save_weights
from kdbench.engine.hooks import EXIT_PREEMPTED
from kdbench.engine.stack import Seed, Stack
from kdbench.models import Distillation
from kdbench.models.stack import StackedModels
from kdbench.spec import IncompatibleError
from kdbench.weights import read_weights

from . import toy
from .kills import forked, outcome
from .test_cohort import Terminate, options
from .test_resume import Signals, StopAt

SIZE, EPOCHS, SEEDS = 36, 2, range(3)  # nine steps of up to eight clips: the last batch of an epoch has four
BANK = dict(type=Sum, methods=[dict(type=CRD, num_negatives=20), dict(type=KD)])
SGD = dict(type="SGD", lr=0.05, momentum=0.9, weight_decay=1e-3)
CASES = {
    "logits": dict(distiller=dict(type=KD)),
    "bank": dict(distiller=BANK),
    "hints and clipping": dict(distiller=dict(type=FitNet), clip=0.5),
    "momentum": dict(distiller=dict(type=KD), optimizer=SGD),
    "labels alone": dict(distiller=None),
}
NEAR = 1e-4  # relative, of whole tensors; the largest that was seen is 1e-5


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("teacher") / "student.safetensors"
    save_weights(path, InertialCNN(num_classes=toy.CLASSES, width=8).state_dict())
    return path


def settings(seed, teacher, distiller=BANK, clip=None, optimizer=None, dropout=0.0, **more) -> dict:
    loaders = {
        name: toy.loader(Signals(8, noisy=False), shuffle=False)
        for name in ("val_dataloader", "test_dataloader")
    }
    wrapper = {**options(0)["optim_wrapper"], "clip_grad": clip and dict(max_norm=clip)}
    model = dict(
        type=Distillation,
        data=dict(name="toy", inputs=dict(inertial=(32, 6)), num_classes=toy.CLASSES, num_train=SIZE),
        student=dict(type=InertialCNN, width=6, dropout=dropout, block_dropout=dropout),
        teacher=dict(type=InertialCNN, width=8, weights=str(teacher)) if distiller else None,
        distiller=distiller,
    )
    return {
        **options(0, **loaders),
        "optim_wrapper": {**wrapper, "optimizer": optimizer or wrapper["optimizer"]},
        "param_scheduler": [
            dict(type="CosineAnnealingLR", T_max=EPOCHS, by_epoch=True, convert_to_iter_based=True)
        ],
        "dataset": Signals(SIZE),
        "model": model,
        "epochs": EPOCHS,
        "randomness": dict(seed=seed),
        "custom_hooks": more.pop("hooks", []),
        **more,
    }


def solo(folder, seed, teacher, **case):
    toy.runner(folder / str(seed), **settings(seed, teacher, **case)).train()


def member(folder, seed, teacher, **case) -> Seed:
    return Seed(str(seed), lambda: toy.runner(folder / str(seed), **settings(seed, teacher, **case)))


def stack(folder, teacher, seeds=SEEDS, **case) -> Stack:
    return Stack(
        [member(folder, seed, teacher, **copy.deepcopy(case)) for seed in seeds],
        StackedModels,
        lambda line: print(line, file=sys.stderr),
    )


def assert_near(folder, other, seeds=SEEDS) -> None:
    for seed in seeds:
        ours, theirs = (read_weights(place / str(seed) / "student.safetensors") for place in (folder, other))
        for name, value in theirs.items():
            assert (ours[name] - value).float().norm() <= NEAR * value.float().norm() + 1e-7, (seed, name)
        ours, theirs = (
            json.loads((place / str(seed) / "history.json").read_text()) for place in (folder, other)
        )
        assert {*ours} == {*theirs}
        assert all(ours[name] == pytest.approx(theirs[name], rel=NEAR) for name in theirs)


@pytest.fixture(scope="module")
def alone(tmp_path_factory, teacher):
    folder = tmp_path_factory.mktemp("alone")
    for seed in SEEDS:
        solo(folder, seed, teacher)
    return folder


@pytest.mark.parametrize("case", CASES)
def test_each_seed_ends_as_it_does_alone(tmp_path, teacher, case):
    for seed in SEEDS:
        solo(tmp_path / "alone", seed, teacher, **CASES[case])
    together = stack(tmp_path, teacher, **CASES[case])
    assert together.run() == 0
    assert_near(tmp_path, tmp_path / "alone")


def test_students_and_teacher_are_asked_once_a_step(tmp_path, teacher, monkeypatch):
    asked, forward = [], InertialCNN.forward

    def counted(network, clips):
        asked.append((network.training, len(clips)))
        return forward(network, clips)

    together, rehearse = stack(tmp_path, teacher, distiller=dict(type=KD)), StackedModels.rehearse

    def rehearsed(models, batches):
        rehearse(models, batches)
        assert models._is_pure
        monkeypatch.setattr(InertialCNN, "forward", counted)

    monkeypatch.setattr(StackedModels, "rehearse", rehearsed)
    assert together.run() == 0
    assert [clips for training, clips in asked if training] == [8, 8, 8, 8, 4] * EPOCHS
    assert [clips for training, clips in asked if not training and clips != 8] == [
        24,
        24,
        24,
        24,
        12,
    ] * EPOCHS


def test_a_seed_that_fails_takes_nobody_with_it(tmp_path, teacher, alone):
    members = [member(tmp_path, seed, teacher, hooks=[StopAt(6)] if seed == 0 else []) for seed in SEEDS]
    assert Stack(members, StackedModels).run() == 1
    assert isinstance(members[0].error, InterruptedError)
    assert_near(tmp_path, alone, [1, 2])


def test_the_last_seed_goes_on_alone(tmp_path, teacher, alone):
    stops = {0: 4, 1: 7, 2: 99}
    members = [member(tmp_path, seed, teacher, hooks=[StopAt(step)]) for seed, step in stops.items()]
    assert Stack(members, StackedModels).run() == 1
    assert_near(tmp_path, alone, [2])


def test_seeds_that_resume_at_different_places_meet(tmp_path, teacher, alone):
    for seed, step in {0: 4, 1: 7}.items():
        with pytest.raises(InterruptedError):
            solo(tmp_path, seed, teacher, hooks=[StopAt(step)])
    assert stack(tmp_path, teacher, resume=True).run() == 0
    assert_near(tmp_path, alone)


def test_a_signal_has_all_save_and_leave_and_they_end_with_the_same_bits(tmp_path, teacher):
    assert stack(tmp_path / "whole", teacher, dropout=0.3).run() == 0
    members = [
        member(tmp_path, seed, teacher, dropout=0.3, hooks=[Terminate(6)] if seed == 1 else [])
        for seed in SEEDS
    ]
    assert Stack(members, StackedModels).run() == EXIT_PREEMPTED
    assert [one.code for one in members] == [EXIT_PREEMPTED] * 3
    assert stack(tmp_path, teacher, dropout=0.3, resume=True).run() == 0
    for seed in SEEDS:
        ours, theirs = (place / str(seed) / "student.safetensors" for place in (tmp_path, tmp_path / "whole"))
        assert ours.read_bytes() == theirs.read_bytes()
        assert outcome(tmp_path / str(seed))[2] == outcome(tmp_path / "whole" / str(seed))[2]


def test_a_killed_stack_ends_as_the_runs_alone(tmp_path, teacher, alone):
    def train(beacon) -> int:
        return stack(tmp_path, teacher, resume=True, hooks=[beacon]).run()

    status, rng = 1, __import__("random").Random(0)
    for kill_after in (7, 11, None):
        status = forked(train, kill_after, rng, 0.05)
        assert status in ((signal.SIGKILL,) if kill_after else (0,))
    assert_near(tmp_path, alone)


@pytest.mark.parametrize(
    ("case", "message"),
    [
        (dict(optimizer=dict(type="Adagrad", lr=0.1)), "do not go with Adagrad; there is: SGD"),
        (dict(train_dataloader=lambda seed: toy.loader(Signals(SIZE), batch_size=4 + seed)), "one shape"),
        (
            dict(optimizer=lambda seed: dict(type="SGD", lr=0.1 + seed)),
            "schedules of these runs have gone apart",
        ),
        (dict(distiller=lambda seed: dict(type=KD) if seed else dict(type=FitNet)), "do not stack"),
    ],
)
def test_what_would_not_be_equal_is_refused_before_the_first_step(tmp_path, teacher, case, message):
    own = [
        {name: value(seed) if callable(value) else value for name, value in case.items()} for seed in SEEDS
    ]
    members = [member(tmp_path, seed, teacher, **own[seed]) for seed in SEEDS]
    with pytest.raises(IncompatibleError, match=message):
        Stack(members, StackedModels).run()
    assert [one.place for one in members] == [(0, 0)] * 3
    assert not list(tmp_path.glob("*/step_*"))
