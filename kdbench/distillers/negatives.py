"""Which training samples share a class, and draws from those that do not."""

import torch
from torch import Tensor, nn


def spread(available: Tensor, count: int) -> Tensor:
    """``count`` draws from ``range(available_i)`` for each row, ``(B, count)``: each number equally likely.

    Draws of a row are distinct where ``available_i >= count``; otherwise each number comes as often as any other, give
    or take one. One draw is made in each of ``count`` strata, and the whole is rotated at random: no sorting, and
    no memory beyond the result.

    >>> sorted(spread(torch.tensor([4]), 8)[0].tolist())
    [0, 0, 1, 1, 2, 2, 3, 3]
    """
    available = available[:, None]
    edges = torch.arange(count + 1, device=available.device) * available // count
    low, width = edges[:, :-1], edges.diff(dim=1)
    inside = (torch.rand(low.shape, device=low.device) * width).long()
    turn = (torch.rand(available.shape, dtype=torch.float64, device=low.device) * available).long()
    return (low + inside + turn) % available


class SampleClasses(nn.Module):
    """The classes of ``N = num_samples`` training samples, for drawing negatives by sample index on the device.

    Until ``set_targets`` every sample shares a class with itself only, and an unlabelled one always does. Labels are a
    property of the data, so they are in no state dict: call ``set_targets`` again after a resume.
    """

    # One label a sample: ``order`` lists the samples by class, and the class of sample ``i`` fills
    # ``order[first[i]:first[i] + size[i]]``; ``place`` inverts ``order``. Several labels: rows of zeros and ones.
    order: Tensor
    place: Tensor
    first: Tensor
    size: Tensor
    positive: Tensor | None

    def __init__(self, num_samples: int):
        super().__init__()
        if num_samples < 2:
            raise ValueError(
                f"negatives need at least two training samples; there is: num_samples={num_samples}"
            )
        everyone = torch.arange(num_samples)
        for name in ("order", "place", "first"):
            self.register_buffer(name, everyone.clone(), persistent=False)
        self.register_buffer("size", torch.ones_like(everyone), persistent=False)
        self.register_buffer("positive", None, persistent=False)

    def set_targets(self, targets: Tensor) -> None:
        """The labels of all training samples: ``(N,)`` class indices or ``(N, K)`` zeros and ones; negative if none."""
        targets = torch.as_tensor(targets).to(self.order.device)
        if len(targets) != len(self.order) or targets.dim() not in (1, 2):
            raise ValueError(
                f"targets must be ({len(self.order)},) or ({len(self.order)}, K); their shape is "
                f"{tuple(targets.shape)}; num_train of the data is the number of training samples"
            )
        if targets.dim() == 2:
            self.positive = (targets > 0).float()
            return
        self.positive = None
        alone = int(targets.max()) + 1 + torch.arange(len(targets), device=targets.device)
        _, group, sizes = torch.where(targets < 0, alone, targets.long()).unique(
            return_inverse=True, return_counts=True
        )
        self.order.copy_(group.argsort(stable=True))
        self.place[self.order] = torch.arange(len(group), device=group.device)
        self.first.copy_((sizes.cumsum(0) - sizes)[group])
        self.size.copy_(sizes[group])

    def share(self, index: Tensor, other: Tensor) -> Tensor:
        """Whether samples ``index`` ``(B,)`` and ``other`` ``(M,)`` share a class, ``(B, M)``; one does with itself."""
        if self.positive is None:
            return self.first[index][:, None] == self.first[other]
        return (self.positive[index] @ self.positive[other].T > 0) | (index[:, None] == other)

    def negatives(self, index: Tensor, count: int) -> Tensor:
        """``count`` samples for each of ``index`` that share no class with it, ``(B, count)``.

        Drawn as ``spread`` says. A sample that shares a class with everybody gets any others.
        """
        if self.positive is not None:
            shared = self._everybody(index)
            others = torch.where(shared.all(1, keepdim=True), self._itself(index), shared).logical_not()
            return self._ranked(others, count)
        lonely = self.size[index] == len(self.order)
        first = torch.where(lonely, self.place[index], self.first[index])[:, None]
        size = torch.where(lonely, 1, self.size[index])
        drawn = spread(len(self.order) - size, count)
        return self.order[drawn + (drawn >= first) * size[:, None]]

    def relatives(self, index: Tensor) -> Tensor:
        """A random sample of the same class (or sharing one) for each of ``index``, ``(B,)``; perhaps itself."""
        if self.positive is not None:
            return self._ranked(self._everybody(index), 1)[:, 0]
        return self.order[self.first[index] + spread(self.size[index], 1)[:, 0]]

    def anybody(self, count: int) -> Tensor:
        """``count`` of all training samples, ``(count,)``."""
        return spread(torch.tensor([len(self.order)], device=self.order.device), count)[0]

    def _itself(self, index: Tensor) -> Tensor:
        return index[:, None] == torch.arange(len(self.order), device=index.device)

    def _everybody(self, index: Tensor) -> Tensor:
        return self.share(index, torch.arange(len(self.order), device=index.device))

    @staticmethod
    def _ranked(allowed: Tensor, count: int) -> Tensor:
        """``count`` draws for each row among the columns that are true in ``allowed`` ``(B, N)``."""
        running = allowed.cumsum(1)
        return torch.searchsorted(running, spread(running[:, -1], count) + 1)
