"""Deep Mutual Learning (Zhang et al., CVPR 2018)."""

from typing import Any

from torch import Tensor

from ..registry import DISTILLERS
from ..spec import MULTI_LABEL, DataSpec, Fields, Needs
from .base import Distiller
from .binary import binary_logits, binary_target, known_form
from .kd import kd_loss
from .peers import check_peers
from .precision import precise


def labels_loss(student: Tensor, target: Tensor, form: str = "softmax") -> Tensor:
    """Cross-entropy of ``(B, K)`` with ``(B,)``, mean over the clips whose target is not negative; 0 without any.

    Of several processes each takes the mean over its own clips (docs/conventions.md, "Several processes"). With
    ``form="bernoulli"`` targets are zeros and ones ``(B, K)``, and each class of a clip is a two-class question.

    >>> import torch
    >>> labels_loss(torch.eye(2), torch.tensor([0, -1]))
    tensor(0.3133)
    >>> labels_loss(torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, -1.0]]), form="bernoulli")
    tensor(0.3133)
    """
    if known_form(form) == "bernoulli":
        student, target = binary_logits(student), binary_target(target)
    (student,) = precise(student)
    each = -student.log_softmax(1).gather(1, target.clamp(min=0)[:, None])[:, 0]
    return (each * (target >= 0)).sum() / (target >= 0).sum().clamp(min=1)


def mutual_loss(student: Tensor, peers: list[Tensor]) -> Tensor:
    """``mean_j KL(peer_j || student)`` at temperature 1; logits ``(B, K)``, the peers are constants.

    >>> import torch
    >>> mutual_loss(torch.eye(3), [torch.eye(3), 2 * torch.eye(3)])
    tensor(0.0494)
    """
    return sum(kd_loss(student, peer.detach(), tau=1.0) for peer in peers) / len(peers)


def dml_loss(student: Tensor, peers: list[Tensor], target: Tensor) -> Tensor:
    """What one of the students minimises: ``labels_loss + mutual_loss``.

    >>> import torch
    >>> dml_loss(torch.eye(2), [torch.eye(2)], torch.tensor([0, 1]))
    tensor(0.3133)
    """
    return labels_loss(student, target) + mutual_loss(student, peers)


@DISTILLERS.register_module()
class DML(Distiller):
    """Students that learn from each other, without a teacher; reads ``peers`` ``(B, P, K)`` of the backbone ``Peers``.

    The first peer is the one that is tested, and the task loss gives it its labels; here the others get theirs, and
    all P learn from the P - 1 others: ``loss_dml`` is ``sum_k mean_j KL(peer_j || peer_k)``, ``loss_dml_labels`` is
    ``sum_{k > 0} CE_k``.

    Published: weight 1 for everything, temperature 1.

    Several labels: ``form`` is ``"softmax"`` for one label a clip and ``"bernoulli"`` for several; the data's task
    settles it. The Bernoulli form (ours) takes every class of a clip as a two-class question.

    Limits: the student must be the backbone ``Peers`` with two networks or more, or students a view, of which none may
    be absent; a row with DML has no teacher.

    Deviations: all students step at once; the paper lets them step in turn.
    """

    needs = Needs(student=("peers",), teacher=(), batch=("target",))

    def __init__(self, form: str = "softmax"):
        super().__init__()
        self.form = known_form(form)

    @staticmethod
    def infer(student: Fields, teacher: Fields, data: DataSpec) -> dict[str, Any]:
        check_peers("DML", student)
        return {"form": "bernoulli" if data.task == MULTI_LABEL else "softmax"}

    def predict(self, student: Fields) -> Tensor:
        return student.peers[:, 0]

    def forward(self, student: Fields, teacher: Fields, batch: Fields) -> dict[str, Tensor]:
        peers, target = list(student.peers.unbind(1)), batch.target
        if self.form == "bernoulli":
            peers, target = [binary_logits(peer) for peer in peers], binary_target(target)
        others = [peers[:k] + peers[k + 1 :] for k in range(len(peers))]
        mutual = sum(mutual_loss(peer, rest) for peer, rest in zip(peers, others, strict=True))
        return {"loss_dml": mutual, "loss_dml_labels": sum(labels_loss(peer, target) for peer in peers[1:])}
