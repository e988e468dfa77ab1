"""Several decisions as one: the mean of their distributions, in logarithms."""

import math

from torch import Tensor


def log_mean(logs: Tensor, shown: Tensor | None = None) -> Tensor:
    """The logarithm of the mean probability over views (or students): log-probabilities ``(B, V, K)`` to ``(B, K)``.

    ``shown`` ``(B, V)`` bool says which views are there, None that all are; the mean is over these. A clip without any
    view gets numbers below -1e3 and no gradient.

    >>> import torch
    >>> logs = torch.tensor([[[0.9, 0.1], [0.5, 0.5]]]).log()
    >>> log_mean(logs).exp(), log_mean(logs, torch.tensor([[True, False]])).exp()
    (tensor([[0.7000, 0.3000]]), tensor([[0.9000, 0.1000]]))
    """
    if shown is None:
        return logs.logsumexp(1) - math.log(logs.shape[1])
    count = shown.sum(1, keepdim=True).clamp(min=1).to(logs.dtype)
    # Not -inf: the gradient of a logsumexp over nothing but -inf is NaN.
    return logs.masked_fill(~shown[..., None], -1e4).logsumexp(1) - count.log()
