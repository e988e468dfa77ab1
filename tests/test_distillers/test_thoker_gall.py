"""Thoker and Gall: the loss against torch.distributions, its gradient in closed form, what is tested."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import Categorical, kl_divergence

from kdbench.distillers import ThokerGall, ensemble_logits, taught_peer_loss
from kdbench.spec import SINGLE_LABEL, DataSpec, Fields

unhurried = settings(deadline=None, max_examples=25)
seeds = st.integers(0, 2**31)


def made(seed: int, *shape: int) -> torch.Tensor:
    return 3 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@unhurried
@given(seeds, st.integers(2, 4), st.integers(1, 4), st.integers(2, 6))
def test_each_student_learns_the_teachers_class_and_the_others_scores(seed, count, clips, classes) -> None:
    peers, teacher = made(seed, clips, count, classes), made(seed + 1, clips, classes)
    expected = 0.0
    for k in range(count):
        own = Categorical(logits=peers[:, k])
        expected -= own.log_prob(teacher.argmax(1)).mean()
        others = [Categorical(logits=peers[:, j]) for j in range(count) if j != k]
        expected += sum(kl_divergence(other, own).mean() for other in others) / len(others)
    found = ThokerGall()(Fields(peers=peers), Fields(logits=teacher), Fields())
    torch.testing.assert_close(found["loss_thoker_gall"], expected)


@unhurried
@given(seeds)
def test_others_are_constants_and_the_teacher_too(seed) -> None:
    peers = made(seed, 5, 3, 4).requires_grad_()
    teacher = made(seed + 1, 5, 4).requires_grad_()
    ThokerGall()(Fields(peers=peers), Fields(logits=teacher), Fields())["loss_thoker_gall"].backward()
    p = peers.detach().softmax(2)
    others = (p.sum(1, keepdim=True) - p) / 2
    told = F.one_hot(teacher.argmax(1), 4)[:, None]
    torch.testing.assert_close(peers.grad, (p - told + p - others) / 5)
    assert teacher.grad is None


def test_how_sure_the_teacher_is_does_not_count() -> None:
    student, peer, teacher = made(0, 4, 3), made(1, 4, 3), made(2, 4, 3)
    assert taught_peer_loss(student, [peer], teacher) == taught_peer_loss(student, [peer], 100 * teacher)


def test_what_is_tested_is_the_first_student_or_the_mean_of_their_probabilities() -> None:
    peers = made(3, 4, 2, 3)
    torch.testing.assert_close(ThokerGall().predict(Fields(peers=peers)), peers[:, 0])
    found = ThokerGall(ensemble=True).predict(Fields(peers=peers))
    torch.testing.assert_close(found.exp(), peers.softmax(2).mean(1))
    assert ensemble_logits(torch.tensor([[[0.0, -1e4], [0.0, -1e4]]])).isfinite().all()


def test_one_student_is_refused() -> None:
    data = DataSpec("toy", {"x": (3,)}, 3, SINGLE_LABEL, 4)
    with pytest.raises(
        ValueError, match=r"^ThokerGall needs at least two peers; give the backbone Peers more"
    ):
        ThokerGall.infer(Fields(peers=torch.zeros(4, 1, 3)), Fields(), data)


def test_students_whose_views_may_be_absent_are_refused() -> None:
    """Absent views have zero logits: others would learn them, and a test would read the first."""
    data = DataSpec("toy", {"x": (3,)}, 3, SINGLE_LABEL, 4)
    student = Fields(peers=torch.zeros(4, 2, 3), view_shown=torch.ones(4, 2, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"^ThokerGall .* views may be absent here; take "):
        ThokerGall.infer(student, Fields(), data)
