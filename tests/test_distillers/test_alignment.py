"""DistributionAlignment against Sinkhorn's iteration, and where it must do nothing."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from kdbench.distillers.alignment import DistributionAlignment

CLASSES = 4


def lopsided(seed: int, clips: int = 40) -> torch.Tensor:
    """Logits whose classes are named unequally often."""
    made = torch.Generator().manual_seed(seed)
    return 2 * torch.randn(clips, CLASSES, generator=made) + torch.tensor([1.5, 0.5, 0.0, -1.0])


def sinkhorn(logits: torch.Tensor) -> torch.Tensor:
    """Rows that sum to 1, columns alike: the balanced assignment, by plain scaling."""
    plan = logits.double().exp()
    for _ in range(2000):
        plan = plan / plan.sum(0)
        plan = plan / plan.sum(1, keepdim=True)
    return plan


@given(st.integers(0, 1000))
def test_it_rests_at_the_balanced_assignment(seed: int) -> None:
    logits, align = lopsided(seed), DistributionAlignment(CLASSES)
    for _ in range(600):
        align(logits)
    torch.testing.assert_close(align(logits).softmax(1).double(), sinkhorn(logits), atol=2e-3, rtol=0)


@given(st.integers(0, 1000))
def test_clips_that_are_balanced_stay_as_they_are(seed: int) -> None:
    logits = lopsided(seed, 5)
    balanced = torch.cat([logits.roll(by, 1) for by in range(CLASSES)])
    align = DistributionAlignment(CLASSES)
    for _ in range(5):
        torch.testing.assert_close(align(balanced), balanced, atol=1e-5, rtol=0)


def test_only_training_moves_it_and_it_is_saved() -> None:
    align, logits = DistributionAlignment(CLASSES), lopsided(0)
    align.eval()(logits)
    assert not align.offset.any()
    align.train()(logits)
    first = align.offset.clone()
    assert first[0] < 0 < first[3], "the class named most is lowered, the one named least raised"
    again = DistributionAlignment(CLASSES)
    again.load_state_dict(align.state_dict())
    assert torch.equal(again(logits), align(logits))


def test_a_batch_is_aligned_by_the_batches_before_it_and_passes_no_gradient() -> None:
    logits = lopsided(1).requires_grad_()
    aligned = DistributionAlignment(CLASSES)(logits)
    assert torch.equal(aligned, logits)
    assert not aligned.requires_grad
