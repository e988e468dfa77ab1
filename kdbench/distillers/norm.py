"""Batch normalisation of stages of any rank."""

import torch.nn.functional as F
from torch import Tensor, nn


class AnyNorm(nn.BatchNorm1d):
    """Batch normalisation of ``(B, C)`` or ``(B, C, ...)``.

    In training a single value a channel (one clip, one position) has no variance; the running statistics serve then.

    >>> import torch
    >>> AnyNorm(2)(torch.ones(1, 2)).shape
    torch.Size([1, 2])
    """

    def forward(self, x: Tensor) -> Tensor:
        if self.training and x.numel() > x.shape[1]:
            return super().forward(x)
        return F.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps
        )

    def _check_input_dim(self, input: Tensor) -> None:
        """Any rank will do."""
