"""Oracles and identities of AverageMKD and CAMKD (several teachers), TfKD and BYOT (none)."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from kdbench.distillers import (
    BYOT,
    CAMKD,
    AverageMKD,
    TfKD,
    average_mkd_loss,
    camkd_divergences,
    camkd_feature_loss,
    camkd_loss,
    confidence_weights,
    kd_loss,
    mean_teacher,
    teacher_label_losses,
    tfkd_loss,
    virtual_teacher,
)
from kdbench.distillers.kd import FORMS
from kdbench.models import Distillation
from kdbench.spec import IGNORED, Fields, IncompatibleError

unhurried = settings(deadline=None, max_examples=25)
seeds = st.integers(0, 2**31)
sizes = st.tuples(st.integers(1, 4), st.integers(2, 6))
forms = pytest.mark.parametrize("form", ["softmax", "bernoulli"])


def logits(seed: int, size: tuple[int, ...], count: int) -> list[torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return [3 * torch.randn(*size, generator=rng, dtype=torch.float64) for _ in range(count)]


def softmax(row: np.ndarray) -> np.ndarray:
    return np.exp(row - row.max()) / np.exp(row - row.max()).sum()


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def divergence(student: np.ndarray, teacher: np.ndarray, form: str, tau: float) -> float:
    """One clip's, class by class."""
    if form == "softmax":
        s, t = softmax(student / tau), softmax(teacher / tau)
        return tau**2 * sum(b * math.log(b / a) for a, b in zip(s, t, strict=True))
    s, t = sigmoid(student / tau), sigmoid(teacher / tau)
    each = [b * math.log(b / a) + (1 - b) * math.log((1 - b) / (1 - a)) for a, b in zip(s, t, strict=True)]
    return tau**2 * sum(each) / len(each)


def labels(size: tuple[int, int], form: str) -> torch.Tensor:
    """Some clips (classes) are unlabelled."""
    if form == "softmax":
        return torch.where(torch.arange(size[0]) % 3 == 2, IGNORED, torch.arange(size[0]) % size[1])
    return torch.where(torch.arange(size[1]) % 3 == 2, -1, torch.arange(size[0])[:, None] % 2).float()


def unlikelihood(row: np.ndarray, label: np.ndarray, form: str) -> float:
    if form == "softmax":
        return 0.0 if label < 0 else -math.log(softmax(row)[int(label)])
    known = [(x, y) for x, y in zip(row, label, strict=True) if y >= 0]
    return -sum(math.log(sigmoid(x) if y else sigmoid(-x)) for x, y in known)


# AverageMKD


@forms
@unhurried
@given(seed=seeds, size=sizes, tau=st.floats(0.5, 8.0))
def test_average_mkd_is_a_naive_loop(form, seed, size, tau) -> None:
    student, *teachers = logits(seed, size, 4)
    squash = softmax if form == "softmax" else sigmoid
    of_losses = [
        divergence(*pair, form, tau)
        for t in teachers
        for pair in zip(student.numpy(), t.numpy(), strict=True)
    ]
    found = average_mkd_loss(student, teachers, tau, "losses", form)
    torch.testing.assert_close(found.item(), sum(of_losses) / len(of_losses), rtol=1e-6, atol=1e-9)
    mean = mean_teacher(teachers, tau, form).numpy()
    for i, row in enumerate(mean):
        expected = np.mean([squash(t.numpy()[i] / tau) for t in teachers], axis=0)
        np.testing.assert_allclose(squash(row / tau), expected, rtol=1e-6)
    of_means = [divergence(s, m, form, tau) for s, m in zip(student.numpy(), mean, strict=True)]
    found = average_mkd_loss(student, teachers, tau, "probabilities", form)
    torch.testing.assert_close(found.item(), sum(of_means) / len(of_means), rtol=1e-6, atol=1e-9)


@forms
def test_both_means_train_the_same_student_and_one_teacher_is_kd(form) -> None:
    gradients = []
    student, *teachers = logits(0, (4, 5), 4)
    for mean in ("probabilities", "losses"):
        leaf = student.clone().requires_grad_()
        average_mkd_loss(leaf, teachers, 4.0, mean, form).backward()
        gradients.append(leaf.grad)
        one = average_mkd_loss(student, teachers[:1], 4.0, mean, form)
        torch.testing.assert_close(one, FORMS[form](student, teachers[0], 4.0))
    torch.testing.assert_close(*gradients)


def test_an_unknown_mean_names_those_that_there_are() -> None:
    with pytest.raises(
        ValueError, match=r"^the mean of 'logits' is unknown; there is: probabilities, losses$"
    ):
        AverageMKD(mean="logits")


# CAMKD


@forms
@unhurried
@given(seed=seeds, size=sizes)
def test_camkd_is_a_naive_loop(form, seed, size) -> None:
    student, *teachers = logits(seed, size, 4)
    target, total = labels(size, form), 0.0
    for i in range(size[0]):
        costs = [math.exp(unlikelihood(t.numpy()[i], target.numpy()[i], form)) for t in teachers]
        weights = [(1 - cost / sum(costs)) / (len(teachers) - 1) for cost in costs]
        total += sum(
            w * divergence(student.numpy()[i], t.numpy()[i], form, 2.0)
            for w, t in zip(weights, teachers, strict=True)
        )
    found = camkd_loss(student, teachers, target, 2.0, form)
    torch.testing.assert_close(found.item(), total / size[0], rtol=1e-6, atol=1e-9)


def test_camkd_features_are_a_naive_loop() -> None:
    guesses, embeddings = ([torch.randn(4, width).double() for width in (3, 5)] for _ in range(2))
    guessed, target, total = logits(0, (4, 6), 2), labels((4, 6), "softmax"), 0.0
    for i in range(4):
        costs = [math.exp(unlikelihood(x.numpy()[i], target.numpy()[i], "softmax")) for x in guessed]
        for k in range(2):
            square = np.mean((guesses[k].numpy()[i] - embeddings[k].numpy()[i]) ** 2)
            total += (1 - costs[k] / sum(costs)) * square
    found = camkd_feature_loss(guesses, embeddings, guessed, target)
    torch.testing.assert_close(found.item(), total / 4, rtol=1e-6, atol=1e-9)


@forms
def test_without_labels_camkd_is_the_average_of_losses(form) -> None:
    student, *teachers = logits(0, (4, 5), 4)
    target = torch.full_like(labels((4, 5), form), IGNORED)
    found = camkd_loss(student, teachers, target, 4.0, form)
    torch.testing.assert_close(found, average_mkd_loss(student, teachers, 4.0, "losses", form))


@forms
def test_divergences_average_to_kd(form) -> None:
    student, *teachers = logits(0, (4, 5), 3)
    found = camkd_divergences(student, teachers, 3.0, form).mean(1)
    torch.testing.assert_close(found, torch.stack([FORMS[form](student, t, 3.0) for t in teachers]))


def test_the_better_teacher_weighs_more_and_weights_add_up() -> None:
    losses = teacher_label_losses(logits(0, (4, 5), 3), labels((4, 5), "softmax"))
    weights = confidence_weights(losses)
    torch.testing.assert_close(weights.sum(0), torch.ones(4).double())
    assert (weights.argsort(0)[:, 0] == losses.argsort(0, descending=True)[:, 0]).all()


def test_camkd_wants_two_teachers_and_their_layers() -> None:
    with pytest.raises(ValueError, match=r"^CAMKD weights two teachers or more; there is: 1$"):
        CAMKD(4, [8])
    with pytest.raises(ValueError, match=r"^CAMKD has no last linear layers of the teachers"):
        CAMKD(4, [8, 8])(Fields(), Fields(), Fields())


FUSION = {
    "type": "LateFusion",
    "weights": "random",
    "members": [{"type": "InertialCNN", "width": 6}, {"type": "SkeletonCNN", "widths": (8, 8, 8)}],
}


def several(teacher: dict, distiller: str = "CAMKD") -> Distillation:
    data = {"name": "toy", "inputs": {"inertial": (32, 6), "skeleton": (16, 20, 3)}, "num_classes": 5}
    student = {"type": "InertialCNN", "width": 4}
    return Distillation(data=data, student=student, teacher=teacher, distiller={"type": distiller})


def test_camkd_borrows_the_layers_of_the_members() -> None:
    model = several(FUSION)
    wanted = [member.fc[1] for member in model.teacher.members]
    assert all(layer is own for layer, own in zip(model.distiller._heads, wanted, strict=True))
    assert not [name for name in model.state_dict() if "head" in name]
    assert isinstance(several(FUSION, "AverageMKD").distiller, AverageMKD)


@pytest.mark.parametrize("name", ["CAMKD", "AverageMKD"])
def test_one_teacher_is_refused_by_name(name) -> None:
    with pytest.raises(
        IncompatibleError, match=f"{name} reads the teacher's 'member_logits'; there is: logits"
    ):
        several({"type": "SkeletonCNN", "weights": "random"}, name)


# TfKD


@unhurried
@given(seeds, sizes, st.floats(0.5, 0.99), st.floats(1.0, 30.0))
def test_tfkd_is_a_naive_loop(seed, size, correct, tau) -> None:
    (student,) = logits(seed, size, 1)
    target, total = labels(size, "softmax"), 0.0
    for row, label in zip(student.numpy(), target.tolist(), strict=True):
        if label >= 0:
            right = np.full(size[1], (1 - correct) / (size[1] - 1))
            right[label] = correct
            total += sum(t * math.log(t / s) for s, t in zip(softmax(row), softmax(right / tau), strict=True))
    found = tfkd_loss(student, target, correct, tau)
    torch.testing.assert_close(found.item(), total / (target >= 0).sum().item(), rtol=1e-6, atol=1e-9)


def test_tfkd_of_logits_is_kd_from_the_virtual_teacher() -> None:
    (student,) = logits(0, (4, 5), 1)
    target = torch.tensor([0, 4, 2, 2])
    teacher = virtual_teacher(target, 5, 0.9).double()
    torch.testing.assert_close(teacher.sum(1), torch.ones(4).double(), rtol=1e-6, atol=1e-6)
    found = tfkd_loss(student, target, 0.9, 3.0, soften="logits")
    torch.testing.assert_close(found, kd_loss(student, teacher.log(), 3.0), rtol=1e-6, atol=1e-6)


def test_tfkd_with_a_hot_teacher_is_a_smoother_of_all_classes() -> None:
    (student,) = logits(0, (4, 5), 1)
    found = tfkd_loss(student, torch.tensor([0, 4, 2, 2]), tau=1e9)
    torch.testing.assert_close(found, kd_loss(student, torch.zeros(4, 5).double(), 1.0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"correct": 1.0}, "a probability of the right class is asked for, 0 to 1; there is: 1.0"),
        ({"soften": "labels"}, "soften 'labels' is unknown; there is: probabilities, logits"),
    ],
)
def test_what_tfkd_refuses(options, message) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        TfKD(**options)


# BYOT


def stages(seed: int, *shapes: tuple[int, ...]) -> Fields:
    rng = torch.Generator().manual_seed(seed)
    maps = [torch.randn(4, *shape, generator=rng).requires_grad_() for shape in shapes]
    return Fields(stages=maps, logits=torch.randn(4, 5, generator=rng).requires_grad_())


@pytest.mark.parametrize("shapes", [[(4,), (6,), (8,)], [(4, 8), (6, 4), (8, 2)], [(4, 8, 8), (8, 4, 4)]])
def test_byot_is_the_sum_over_its_exits(shapes) -> None:
    torch.manual_seed(0)
    method, student = (
        BYOT(shapes, num_classes=5, alpha=0.25, tau=2.0, hint_weight=0.5).eval(),
        stages(0, *shapes),
    )
    target = torch.tensor([0, 4, IGNORED, 2])
    losses = method(student, Fields(), Fields(target=target))
    deepest = student.stages[-1].flatten(2).mean(2) if len(shapes[-1]) > 1 else student.stages[-1]
    expected = dict.fromkeys(losses, 0.0)
    for leave, stage in zip(method.exits, student.stages, strict=False):
        features, guess = (x.detach() for x in leave(stage))
        assert features.shape == deepest.shape
        expected["loss_byot_labels"] += 0.75 * F.cross_entropy(guess, target, ignore_index=IGNORED)
        rows = zip(guess.detach().numpy(), student.logits.detach().numpy(), strict=True)
        expected["loss_byot_kd"] += 0.25 * sum(divergence(*row, "softmax", 2.0) for row in rows) / 4
        expected["loss_byot_hint"] += 0.5 * (features - deepest.detach()).square().sum() / 4
    for name, value in losses.items():
        torch.testing.assert_close(value.item(), float(expected[name]), rtol=1e-5, atol=1e-6)


def test_byot_teaches_the_stages_before_the_last_only() -> None:
    method, student = BYOT([(4, 8), (8, 4)], num_classes=5), stages(0, (4, 8), (8, 4))
    sum(method(student, Fields(), Fields(target=torch.arange(4))).values()).backward()
    assert student.stages[0].grad.abs().sum() > 0
    assert student.stages[1].grad is None
    assert student.logits.grad is None


def test_byot_wants_two_stages() -> None:
    with pytest.raises(
        ValueError, match=r"^BYOT puts classifiers on the stages before the last; there is: 1 stage"
    ):
        BYOT([(4, 8)], num_classes=5)


def test_byot_averages_the_views_of_a_clip() -> None:
    torch.manual_seed(0)
    method, one = BYOT([(4, 8), (8, 4)], num_classes=5).eval(), stages(0, (4, 8), (8, 4))
    several = Fields(stages=[stage.repeat_interleave(3, 0) for stage in one.stages], logits=one.logits)
    batch = Fields(target=torch.arange(4))
    torch.testing.assert_close(method(several, Fields(), batch), method(one, Fields(), batch))
