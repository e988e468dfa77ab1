"""Contrastive Representation Distillation (Tian et al., ICLR 2020)."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..registry import DISTILLERS
from ..spec import DataSpec, Fields, Needs
from .base import Distiller
from .infonce import info_nce_loss
from .negatives import SampleClasses
from .precision import precise, without_autocast
from .processes import gathered, world_size
from .temperature import checked_temperature

NEGATIVES = ("per_sample", "shared", "in_batch")
POSITIVES = ("exact", "relax")
EPSILON = 1e-7  # of the reference code, beside the noise density

# Scoring the whole bank and picking from the result costs D * N products a clip; picking rows first moves D * K
# numbers through memory, which is about this many times slower for each.
WHOLE_BANK_UP_TO = 48


def crd_scores(embedding: Tensor, bank: Tensor, positive: Tensor, negatives: Tensor, tau: float) -> Tensor:
    """Similarities over ``tau`` of embeddings ``(B, D)`` with rows of the bank ``(N, D)``: ``(B, 1 + K)``.

    The first column is the row ``positive`` ``(B,)``, the others ``negatives``, ``(B, K)`` or ``(K,)`` for all clips.
    All rows have length one. The bank may change before the backward pass.
    """
    if negatives.dim() == 1:
        own = (embedding * bank[positive]).sum(1, keepdim=True)
        return torch.cat([own, embedding @ bank[negatives].T], 1) / tau
    chosen = torch.cat([positive[:, None], negatives], 1)
    if len(bank) <= WHOLE_BANK_UP_TO * chosen.shape[1]:
        return (embedding @ bank.clone().T).gather(1, chosen) / tau
    return torch.einsum("bd,bkd->bk", embedding, bank[chosen]) / tau


def crd_log_normaliser(scores: Tensor, num_samples: int) -> Tensor:
    """``log Z = log(N * mean(exp(scores)))``, a constant without gradient."""
    return scores.detach().logsumexp((0, 1)) + math.log(num_samples / scores.numel())


def crd_side_loss(
    scores: Tensor, log_normaliser: Tensor, num_samples: int, valid: Tensor | None = None
) -> Tensor:
    """``-mean_b [log(u_+ / (u_+ + q + eps)) + sum_k log(q / (u_k + q + eps))]``: which row is the clip's own?

    ``u = exp(score) / Z`` and ``q = K / N``: noise-contrastive estimation of one side, against ``K`` rows from
    noise of density 1/N. ``scores`` are ``(B, 1 + K)``, the positive first. ``valid`` ``(B, K)`` says which
    negatives count; all by default.
    """
    log_density = scores - log_normaliser
    if valid is None:
        valid = scores.new_ones(1, 1).expand(1, scores.shape[1] - 1)
    noise = valid.sum(1, keepdim=True).clamp(min=1).to(scores.dtype) / num_samples
    log_noise = (noise + EPSILON).log()
    # In logarithms: -log(u / (u + q + eps)) and -log(q / (u + q + eps)) with u = exp(log_density), q = noise.
    missed = F.softplus(log_noise - log_density[:, :1])[:, 0]
    mistaken = F.softplus(log_density[:, 1:] - log_noise) + (EPSILON / noise).log1p()
    return (missed + (mistaken * valid).sum(1)).mean()


def crd_loss(
    student: Tensor,
    teacher: Tensor,
    bank_student: Tensor,
    bank_teacher: Tensor,
    positive: Tensor,
    negatives: Tensor,
    tau: float = 0.07,
    log_normalisers: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """The student against the teacher's bank plus the teacher against the student's, for one batch.

    Embeddings ``(B, D)`` and banks ``(N, D)`` have rows of length one; ``positive`` is ``(B,)``, ``negatives``
    ``(B, K)`` or ``(K,)``. Without ``log_normalisers`` (log Z of the two sides) they come from this batch, as at the
    first step.

    >>> own, far = torch.eye(3), torch.tensor([[1, 2], [0, 2], [0, 1]])
    >>> crd_loss(own, own, own, own, torch.arange(3), far, tau=1.0)
    tensor(2.6418)
    """
    scores = (
        crd_scores(student, bank_teacher, positive, negatives, tau),
        crd_scores(teacher, bank_student, positive, negatives, tau),
    )
    num_samples = len(bank_student)
    if log_normalisers is None:
        log_normalisers = tuple(crd_log_normaliser(side, num_samples) for side in scores)
    return sum(
        crd_side_loss(side, log_z, num_samples) for side, log_z in zip(scores, log_normalisers, strict=True)
    )


def crd_updated_rows(bank: Tensor, index: Tensor, embedding: Tensor, momentum: float = 0.5) -> Tensor:
    """The rows ``index`` ``(B,)`` of the bank after a step towards ``embedding`` ``(B, D)``, at length one again."""
    return F.normalize(momentum * bank[index] + (1 - momentum) * embedding, dim=1)


@DISTILLERS.register_module()
class CRD(Distiller):
    """Own clip against clips of other classes, between student and teacher embeddings.

    Two memory banks hold an embedding of every training sample, and their normalisers Z are set once, at the first
    batch; all four are in the state dict. ``num_negatives`` is K, ``tau`` the temperature, ``momentum`` the share
    of the old row in an update, ``feat_dim`` the width of the two embedders, which are both trained. K negatives
    need not fit: clips are repeated evenly if fewer are of other classes.

    ``negatives`` is ``"per_sample"`` (published), ``"shared"`` (one draw for the batch; for each clip those of its
    own class are left out) or ``"in_batch"`` (InfoNCE, no memory). ``positive`` is ``"exact"`` or ``"relax"`` (any
    sample of the same class). Give the labels of the training set by ``set_targets``; without them only the sample
    itself is no negative. With several processes all keep the same banks.

    Published: weight 0.8, K 16384, ``tau`` 0.07, ``momentum`` 0.5, ``feat_dim`` 128, ``positive="exact"``.

    Several labels: clips that share any class are no negatives of each other (ours).

    Limits: batches must number their samples (``index``) and the data say how many there are (``num_train``, two or
    more); otherwise take InfoNCE.

    Deviations: ``negatives="shared"`` and ``"in_batch"`` are ours, for speed. Per-sample negatives come one from
    each of K strata, each clip of another class equally likely; the reference draws a random subset.
    """

    needs = Needs(student=("embedding",), teacher=("embedding",), batch=("index",))

    def __init__(
        self,
        student_dim: int,
        teacher_dim: int,
        num_samples: int,
        num_negatives: int = 16384,
        tau: float = 0.07,
        momentum: float = 0.5,
        feat_dim: int = 128,
        negatives: str = "per_sample",
        positive: str = "exact",
    ):
        super().__init__()
        for name, value, known in (("negatives", negatives, NEGATIVES), ("positive", positive, POSITIVES)):
            if value not in known:
                raise ValueError(f"{name}='{value}' is unknown; there is: {', '.join(known)}")
        self.num_negatives, self.tau, self.momentum = num_negatives, checked_temperature(tau), momentum
        self.negatives, self.positive = negatives, positive
        self.embed_student = nn.Linear(student_dim, feat_dim)
        self.embed_teacher = nn.Linear(teacher_dim, feat_dim)
        self.classes = SampleClasses(num_samples)
        if negatives != "in_batch":
            bound = math.sqrt(3 / feat_dim)
            for side in ("student", "teacher"):
                self.register_buffer(
                    f"bank_{side}", torch.empty(num_samples, feat_dim).uniform_(-bound, bound)
                )
            # Minus infinity (Z = 0) says "not set yet"; unlike NaN it equals itself when states are compared.
            self.register_buffer("log_normalisers", torch.full((2,), -torch.inf))
            self._is_set = False
            self.register_load_state_dict_post_hook(_look_again)

    @staticmethod
    def infer(student: Fields, teacher: Fields, data: DataSpec) -> dict[str, Any]:
        if data.num_train < 2:
            raise ValueError(
                f"CRD remembers every training sample; {data.name} says num_train={data.num_train}; "
                "give the number of its training samples, or take InfoNCE, which remembers none"
            )
        return {
            "student_dim": student.embedding[0].numel(),
            "teacher_dim": teacher.embedding[0].numel(),
            "num_samples": data.num_train,
        }

    def set_targets(self, targets: Tensor) -> None:
        """The labels of all training samples, ``(N,)`` or ``(N, K)``; negative where unlabelled. Not in checkpoints."""
        self.classes.set_targets(targets)

    def forward(self, student: Fields, teacher: Fields, batch: Fields) -> dict[str, Tensor]:
        s = _embedded(self.embed_student, student.embedding)
        t = _embedded(self.embed_teacher, teacher.embedding.detach())
        with without_autocast(s):
            if self.negatives == "in_batch":
                same = self.classes.share(batch.index, batch.index)
                return {"loss_crd": info_nce_loss(s, t, self.tau, same=same)}
            return {"loss_crd": self._contrasted(s, t, batch.index)}

    def _contrasted(self, student: Tensor, teacher: Tensor, index: Tensor) -> Tensor:
        positive = self.classes.relatives(index) if self.positive == "relax" else index
        negatives, valid = self._drawn(index)
        scores = [
            crd_scores(student, self.bank_teacher, positive, negatives, self.tau),
            crd_scores(teacher, self.bank_student, positive, negatives, self.tau),
        ]
        log_normalisers = self._log_normalisers(scores)
        if self.training:
            self._remember(index, student.detach(), teacher.detach())
        num_samples = len(self.bank_student)
        return sum(
            crd_side_loss(side, log_z, num_samples, valid)
            for side, log_z in zip(scores, log_normalisers, strict=True)
        )

    def _drawn(self, index: Tensor) -> tuple[Tensor, Tensor | None]:
        if self.negatives == "per_sample":
            return self.classes.negatives(index, self.num_negatives), None
        shared = self.classes.anybody(self.num_negatives)
        return shared, ~self.classes.share(index, shared)

    @torch.no_grad()
    def _log_normalisers(self, scores: list[Tensor]) -> Tensor:
        """Log Z of both sides: from this batch until they are set, by the first batch of training or a checkpoint."""
        if self._is_set:
            return self.log_normalisers
        num_samples = len(self.bank_student)
        found = torch.stack([crd_log_normaliser(side, num_samples) for side in scores])
        found = torch.stack(gathered(found)).logsumexp(0) - math.log(world_size())
        found = torch.where(self.log_normalisers.isfinite().all(), self.log_normalisers, found)
        if self.training:
            self.log_normalisers.copy_(found)
            self._is_set = True
        return found

    @torch.no_grad()
    def _remember(self, index: Tensor, student: Tensor, teacher: Tensor) -> None:
        index, student, teacher = (torch.cat(gathered(x)) for x in (index, student, teacher))
        # A sample that comes twice writes the same row twice, its last one: the order of writes is not defined on GPUs.
        places = torch.arange(len(index), device=index.device)
        last = torch.where(index[:, None] == index, places, -1).argmax(1)
        for bank, embedding in ((self.bank_student, student), (self.bank_teacher, teacher)):
            bank[index] = crd_updated_rows(bank, index, embedding[last], self.momentum).to(bank.dtype)


def _embedded(embedder: nn.Linear, embedding: Tensor) -> Tensor:
    return F.normalize(*precise(embedder(embedding.flatten(1))), dim=1)


def _look_again(distiller: CRD, _: Any) -> None:
    distiller._is_set = False
