"""Action selection of MultiASL: the frames that decide on each class.

Multi-view Action Selection Learning (Nguyen et al., ACM Multimedia Asia 2024), from the authors' code. Networks use it
for their logits, the task loss ``ActionSelection`` for its targets, which it gets as the output ``best_frames``.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def best_frames(logits: Tensor, actionness: Sequence[Tensor], portion: int = 8) -> Tensor:
    """Which ``max(1, floor(T / portion))`` frames are best for each class: bool ``(B, T, K)``, without gradient.

    ``logits`` ``(B, T, K)`` are those of frames (the class activation sequence), ``actionness`` any number of
    sequences ``(B, T)`` in [0, 1]. A frame's score is the mean of these and of its softmax over classes. The authors
    take no frame below eight, and get no number; ours take one.

    >>> best_frames(torch.zeros(1, 3, 1), [torch.tensor([[0.1, 0.9, 0.2]])])[0, :, 0]
    tensor([False,  True, False])
    """
    scores = logits.detach().softmax(-1, dtype=torch.promote_types(logits.dtype, torch.float32))
    for sequence in actionness:
        scores = scores + sequence.detach()[..., None]
    count = max(1, logits.shape[1] // portion)
    best = scores.topk(count, dim=1).indices
    return torch.zeros_like(scores, dtype=torch.bool).scatter(1, best, True)


def selected_logits(logits: Tensor, best: Tensor) -> Tensor:
    """The mean of frame logits ``(B, T, K)`` over the frames ``best`` ``(B, T, K)`` of each class: ``(B, K)``.

    >>> selected_logits(torch.tensor([[[1.0], [4.0], [2.0]]]), torch.tensor([[[True], [True], [False]]]))
    tensor([[2.5000]])
    """
    return (logits * best).sum(1) / best.sum(1)
