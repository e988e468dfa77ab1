"""Cross-modal Knowledge Distillation for Action Recognition (Thoker and Gall, ICIP 2019)."""

from typing import Any

import torch
from torch import Tensor

from ..mixture import log_mean
from ..registry import DISTILLERS
from ..spec import SINGLE_LABEL, DataSpec, Fields, Needs
from .base import Distiller
from .dml import labels_loss, mutual_loss
from .peers import check_peers
from .precision import precise


def taught_peer_loss(student: Tensor, peers: list[Tensor], teacher: Tensor) -> Tensor:
    """What one student of an ensemble minimises: cross-entropy with the teacher's class, and ``mutual_loss``.

    Logits ``(B, K)``; teacher and peers are constants.

    >>> taught_peer_loss(torch.eye(3), [torch.eye(3)], 5 * torch.eye(3))
    tensor(0.5514)
    """
    return labels_loss(student, teacher.argmax(1)) + mutual_loss(student, peers)


def ensemble_logits(peers: Tensor) -> Tensor:
    """The logarithm of the mean of the students' probabilities: ``(B, P, K)`` to ``(B, K)``.

    >>> ensemble_logits(torch.tensor([[[0.0, 0.0], [9.0, -9.0]]])).exp()
    tensor([[0.7500, 0.2500]])
    """
    (peers,) = precise(peers)
    return log_mean(peers.log_softmax(2))


@DISTILLERS.register_module()
class ThokerGall(Distiller):
    """Students without labels: a teacher of another modality names each clip's class, and they learn of each other.

    Reads ``peers`` ``(B, P, K)`` of the backbone ``Peers``; the sum of ``taught_peer_loss`` over the P students.
    ``ensemble=False`` tests the first of them, which costs what one student costs; ``True`` the mean of their
    probabilities. The teacher's class alone counts, however sure it is: no threshold, no temperature.

    Published: no labels, that is, ``task_weight`` 0; that this beats KL from the teacher. The formula is a
    reconstruction from what later papers say of it; its weights of 1 are ours.

    Limits: one label a clip, and two students or more, of which none may be absent; for one take CrossView with
    ``rule="all"``, ``views=False``, ``labels=0`` and ``logit=0``, whose pseudo-labels are for clips without a label
    only.

    Deviations: all students step at once, as in DML.
    """

    needs = Needs(student=("peers",), teacher=("logits",), tasks=(SINGLE_LABEL,))

    def __init__(self, ensemble: bool = False):
        super().__init__()
        self.ensemble = ensemble

    @staticmethod
    def infer(student: Fields, teacher: Fields, data: DataSpec) -> dict[str, Any]:
        check_peers("ThokerGall", student)
        return {}

    def predict(self, student: Fields) -> Tensor:
        return ensemble_logits(student.peers) if self.ensemble else student.peers[:, 0]

    def forward(self, student: Fields, teacher: Fields, batch: Fields) -> dict[str, Tensor]:
        peers, sure = list(student.peers.unbind(1)), teacher.logits.detach()
        each = [taught_peer_loss(peer, peers[:k] + peers[k + 1 :], sure) for k, peer in enumerate(peers)]
        return {"loss_thoker_gall": torch.stack(each).sum()}
