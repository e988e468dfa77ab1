"""MERS: labels train the last layer and nothing before it, the teacher everything before it and not that."""

import pytest
import torch
from torch import nn

from kdbench.distillers import MARS, MERS, probe_loss
from kdbench.spec import MULTI_LABEL, DataSpec, Fields

K, WIDTH = 5, 4


def made(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def networks(seed: int) -> tuple[nn.Linear, nn.Linear, MERS]:
    """A stream, its classifier, and the method that has borrowed the classifier."""
    torch.manual_seed(seed)
    stream, head, method = nn.Linear(3, WIDTH).double(), nn.Linear(WIDTH, K).double(), MERS(WIDTH, WIDTH)
    method.borrow(student=head)
    return stream, head, method


def losses(method: MERS, embedding: torch.Tensor, target: torch.Tensor) -> dict[str, torch.Tensor]:
    return method(
        Fields(embedding=embedding), Fields(embedding=made(1, len(embedding), WIDTH)), Fields(target=target)
    )


def test_the_stream_gets_what_mars_gives_and_nothing_of_the_labels() -> None:
    stream, _, method = networks(0)
    embedding, target = stream(made(0, 6, 3)), torch.arange(6) % K
    teacher = made(1, 6, WIDTH)
    found = losses(method, embedding, target)
    expected = MARS(WIDTH, WIDTH)(Fields(embedding=embedding), Fields(embedding=teacher), Fields())
    torch.testing.assert_close(found["loss_mers"], expected["loss_mars"])
    (gradient,) = torch.autograd.grad(sum(found.values()), embedding, retain_graph=True)
    torch.testing.assert_close(gradient, 100 * (embedding - teacher) / embedding.numel())
    assert not found["loss_mers_labels"].isnan()
    assert torch.autograd.grad(found["loss_mers_labels"], embedding, allow_unused=True) == (None,)


def test_the_classifier_gets_the_gradient_of_logistic_regression() -> None:
    stream, head, method = networks(0)
    embedding, target = stream(made(0, 6, 3)), torch.tensor([0, 4, -100, 2, 2, -100])
    sum(losses(method, embedding, target).values()).backward()
    known = target >= 0
    error = head(embedding).softmax(1)[known] - nn.functional.one_hot(target[known], K)
    torch.testing.assert_close(head.weight.grad, error.T @ embedding.detach()[known] / known.sum())
    torch.testing.assert_close(head.bias.grad, error.mean(0))


def test_learning_at_once_leaves_the_stream_as_learning_one_after_the_other_does() -> None:
    """The paper trains the stream first, its code both in each step: the stream ends with the same bits."""
    ends = []
    for terms in (("loss_mers", "loss_mers_labels"), ("loss_mers",)):
        stream, head, method = networks(3)
        optimiser = torch.optim.SGD([*stream.parameters(), *head.parameters()], lr=0.05)
        for step in range(5):
            found = losses(method, stream(made(step, 6, 3)), torch.arange(6) % K)
            optimiser.zero_grad()
            sum(found[term] for term in terms).backward()
            optimiser.step()
        ends.append((stream.weight.detach(), head.weight.detach()))
    (stream, head), (alone, untouched) = ends
    assert torch.equal(stream, alone)
    assert not torch.equal(head, untouched)


def test_several_labels_are_two_class_questions() -> None:
    embedding, weight, target = made(0, 3, WIDTH), made(1, K, WIDTH), (made(2, 3, K) > 0).double()
    target[0, 1] = -1
    each = nn.functional.binary_cross_entropy_with_logits(embedding @ weight.T, target, reduction="none")
    found = probe_loss(embedding, weight, None, target, form="bernoulli")
    torch.testing.assert_close(found, each[target >= 0].mean())
    outputs = Fields(embedding=embedding)
    assert MERS.infer(outputs, outputs, DataSpec("toy", {}, K, MULTI_LABEL))["form"] == "bernoulli"


def test_a_map_comes_between_other_widths_and_a_head_must_be_given() -> None:
    assert not list(MERS(WIDTH, WIDTH).parameters())
    method = MERS(WIDTH, 7)
    assert method.project.weight.shape == (7, WIDTH)
    with pytest.raises(
        ValueError, match=r"^MERS has no last linear layer of the student; give it by borrow\(student=\)$"
    ):
        losses(MERS(WIDTH, WIDTH), made(0, 2, WIDTH), torch.zeros(2, dtype=torch.long))
