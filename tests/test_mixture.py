"""The mean of distributions in logarithms, against the mean of the probabilities."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from kdbench.mixture import log_mean


def made(seed: int, clips: int = 5, views: int = 3, classes: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probabilities, and which views are there: one a clip at least."""
    rng = torch.Generator().manual_seed(seed)
    logs = (3 * torch.randn(clips, views, classes, generator=rng, dtype=torch.float64)).log_softmax(2)
    shown = torch.rand(clips, views, generator=rng) < 0.5
    shown[:, 0] |= ~shown.any(1)
    return logs, shown


@given(st.integers(0, 10_000))
def test_it_is_the_mean_over_the_views_that_are_there(seed: int) -> None:
    logs, shown = made(seed)
    wanted = torch.stack([clip[there].exp().mean(0) for clip, there in zip(logs, shown, strict=True)])
    torch.testing.assert_close(log_mean(logs, shown).exp(), wanted)
    torch.testing.assert_close(log_mean(logs).exp(), logs.exp().mean(1))


def test_an_absent_view_gets_no_gradient_and_a_clip_without_any_no_nan() -> None:
    logs, shown = made(0)
    shown[1] = False
    logs.requires_grad_()
    log_mean(logs, shown).sum().backward()
    assert logs.grad.isfinite().all()
    assert not logs.grad[~shown].any()
