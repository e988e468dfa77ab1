"""What several views of a clip predict where they see a person, compared: the parts of ``view_consistency``.

Distributions, masks, confidence and divergences; all but the outline is our reconstruction (see ``vicokd``).
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .binary import FORMS
from .precision import precise

CONFIDENCES = ("max", "entropy", "detector", "none")
DIVERGENCES = ("pairwise", "generalised")
LEVELS = ("frame", "sequence", "view")


class Views(NamedTuple):
    """What V views predict at T frames, by questions Q with O answers each, and which views see somebody at once.

    ``log_q`` are log-probabilities ``(V, B, T, Q, O)``; ``scores`` ``(V, B, T, 1)``, a detector's; ``together`` ``(P,
    B, T, 1)`` bool, a row for each of the ``pairs`` ``(2, P)``.
    """

    log_q: Tensor
    scores: Tensor | None
    together: Tensor
    pairs: Tensor


def known(what: str, asked: str, there: tuple[str, ...]) -> str:
    """``asked``, or a ``ValueError`` that names those that there are."""
    if asked not in there:
        raise ValueError(f"{what} '{asked}' is unknown; there is: {', '.join(there)}")
    return asked


def jensen_shannon(log_q: Tensor, share: Tensor) -> Tensor:
    """``sum_n pi_n KL(q_n || sum_n pi_n q_n)`` of distributions ``log_q`` ``(N, ..., O)`` with shares ``(N, ...)``.

    It equals ``H(sum_n pi_n q_n) - sum_n pi_n H(q_n)`` and has finite gradients where probabilities vanish; 0 where all
    shares are.

    >>> jensen_shannon(torch.tensor([[1.0, 1e-30], [1e-30, 1.0]]).log(), torch.tensor([0.5, 0.5]))
    tensor(0.6931)
    """
    tiny = torch.finfo(share.dtype).tiny  # log 0 would turn gradients into nan
    log_mixture = (log_q + share.clamp(min=tiny).log()[..., None]).logsumexp(0)
    return (share * (log_q.exp() * (log_q - log_mixture)).sum(-1)).sum(0)


def compared_views(
    logits: Tensor,
    seen: Tensor | None,
    scores: Tensor | None = None,
    level: str = "frame",
    form: str = "softmax",
) -> Views:
    """Logits and masks as ``view_consistency`` compares them; its arguments say what is what."""
    known("level", level, LEVELS), known("form", form, FORMS)
    if level == "view":
        logits = logits[:, :, None]
    if seen is None:
        seen = torch.ones(logits.shape[:3] if scores is None else scores.shape, device=logits.device)
    seen = (seen > 0).transpose(0, 1)  # (V, B, T)
    there = seen.any(2, keepdim=True) if level == "view" else seen
    (logits,) = precise(logits.transpose(0, 1).masked_fill(~there[..., None], 0))
    if form == "softmax":
        log_q = logits.log_softmax(-1)[..., None, :]
    else:
        log_q = torch.stack([F.logsigmoid(logits), F.logsigmoid(-logits)], -1)
    pairs = torch.triu_indices(len(seen), len(seen), 1, device=seen.device)
    together = seen[pairs[0]] & seen[pairs[1]]
    if scores is not None:
        (scores,) = precise(scores.transpose(0, 1))
    if level != "frame":
        together = together.any(2, keepdim=True)
        scores = None if scores is None else _mean_where_seen(scores, seen)
    if level == "sequence":
        log_q = _log_mean_where_seen(log_q, seen)
    return Views(log_q, None if scores is None else scores[..., None], together[..., None], pairs)


def _mean_where_seen(scores: Tensor, seen: Tensor) -> Tensor:
    return (scores * seen).sum(2, keepdim=True) / seen.sum(2, keepdim=True).clamp(min=1)


def _log_mean_where_seen(log_q: Tensor, seen: Tensor) -> Tensor:
    """The log of each view's mean probability over the frames in which it sees somebody: ``(V, B, 1, Q, O)``."""
    seen = seen[..., None, None]
    frames = seen.sum(2, keepdim=True).clamp(min=1).to(log_q.dtype)
    log_q = torch.where(seen, log_q, math.log(torch.finfo(log_q.dtype).tiny))
    return log_q.logsumexp(2, keepdim=True) - frames.log()


def view_confidence(views: Views, kind: str = "max") -> Tensor:
    """How sure each view is, in [0, 1] and without gradient: ``(V, B, T, Q)``, or ``(V, B, T, 1)``."""
    known("confidence", kind, CONFIDENCES)
    log_q = views.log_q.detach()
    if kind == "max":
        return log_q.amax(-1).exp()
    if kind == "entropy":
        most = math.log(max(log_q.shape[-1], 2))  # one answer: nobody is unsure
        return (1 + (log_q.exp() * log_q).sum(-1) / most).clamp(min=0)
    if kind == "none":
        return torch.ones_like(log_q[..., 0])
    if views.scores is None:
        raise ValueError("confidence 'detector' reads a detector's scores; there is: none; give scores=")
    return views.scores.detach()


def pair_weights(views: Views, confidence: Tensor) -> Tensor:
    """``m_i m_j c_i c_j`` of each pair of views: ``(P, B, T, Q)``, or ``(P, B, T, 1)``."""
    first, second = views.pairs
    return views.together * confidence[first] * confidence[second]


def pairwise_divergence(views: Views, confidence: Tensor) -> tuple[Tensor, Tensor]:
    """The divergence in each pair and its weight: ``(P, B, T, Q)`` each."""
    log_q = views.log_q[views.pairs]
    return jensen_shannon(log_q, torch.full_like(log_q[..., 0], 0.5)), pair_weights(views, confidence)


def generalised_divergence(views: Views, confidence: Tensor) -> tuple[Tensor, Tensor]:
    """The divergence of all views that are in some pair, with shares ``c_n / sum c``, and its weight: ``(B, T, Q)``."""
    numbers = torch.arange(len(views.log_q), device=views.pairs.device)
    member = (views.pairs[..., None] == numbers).any(0)  # (P, V)
    paired = (member[..., None, None, None] & views.together[:, None]).any(0)  # (V, B, T, 1)
    share = paired * confidence
    share = share / share.sum(0).clamp(min=torch.finfo(share.dtype).tiny)
    weight = pair_weights(views, confidence).sum(0)
    return jensen_shannon(views.log_q, share.expand_as(views.log_q[..., 0])), weight
