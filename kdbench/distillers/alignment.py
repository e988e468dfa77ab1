"""Predictions shifted until all classes are named equally often, for teachers that know some classes badly."""

import torch
from torch import Tensor, nn

from .precision import precise
from .processes import mean_over_processes


class DistributionAlignment(nn.Module):
    """Logits ``(B, K)`` plus one offset a class, learnt until the mean prediction in training is uniform.

    The offsets ``o`` begin at 0, the running mean ``m`` of ``softmax(logits + o)`` at ``1/K``; in training each batch
    makes ``m <- (1 - pace) m + pace * mean`` and then ``o <- o - rate * log(K m)``. They rest where ``m`` is uniform,
    and there they are the class potentials of the optimal transport from clips to equally frequent classes with
    entropy 1 (Sinkhorn; Asano et al., ICLR 2020, SeLa). ReMixMatch's distribution alignment (Berthelot et al., ICLR
    2020) is its first step. No label is read.

    Reconstruction: the running form, ``pace`` and ``rate`` are ours. That the classes are equally frequent among the
    training clips is an assumption, and where it is false the offsets do harm.

    >>> align = DistributionAlignment(2)
    >>> lopsided = torch.tensor([[3.0, 0.0], [1.0, 0.0]])
    >>> for _ in range(300):
    ...     aligned = align(lopsided)
    >>> aligned.argmax(1)
    tensor([0, 1])
    """

    def __init__(self, num_classes: int, pace: float = 0.05, rate: float = 0.3):
        super().__init__()
        self.pace, self.rate = pace, rate
        self.register_buffer("share", torch.full((num_classes,), 1 / num_classes))
        self.register_buffer("offset", torch.zeros(num_classes))

    @torch.no_grad()
    def forward(self, logits: Tensor) -> Tensor:
        """The aligned logits, by the offsets that were there before this batch; a constant."""
        (logits,) = precise(logits)
        aligned = logits + self.offset
        if self.training:
            mean = mean_over_processes(aligned.softmax(1).mean(0))
            self.share.lerp_(mean.to(self.share), self.pace)
            self.offset -= self.rate * (len(self.share) * self.share).clamp(min=1e-3).log()
        return aligned
