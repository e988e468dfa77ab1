"""Relational Knowledge Distillation (Park et al., CVPR 2019)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..registry import DISTILLERS
from ..spec import Fields, Needs
from .base import Distiller
from .precision import precise, without_autocast

EPSILON = 1e-12  # the least squared distance of two clips


def _products(embedding: Tensor) -> Tensor:
    """Inner products ``(B, B)`` of the clips about their mean, which differences of clips do not see."""
    centred = embedding - embedding.mean(0)
    with without_autocast(embedding):
        return centred @ centred.T


def distances(products: Tensor) -> Tensor:
    """Distances ``(B, B)`` of clips with these inner products: zero on the diagonal, at least 1e-6 beside it."""
    own = products.diagonal()
    itself = torch.eye(len(products), dtype=torch.bool, device=products.device)
    squared = (own[:, None] + own - 2 * products).clamp(min=EPSILON)
    # The root's slope at zero is infinite, so the diagonal takes the root of one instead.
    return squared.masked_fill(itself, 1).sqrt().masked_fill(itself, 0)


def angles(products: Tensor) -> Tensor:
    """Cosine of the angle at clip ``j`` between clips ``i`` and ``k``, ``(B, B, B)`` by ``j i k``.

    ``(x_i - x_j) . (x_k - x_j)`` is a sum of inner products, so that no ``B x B x D`` differences are needed.
    """
    own, length = products.diagonal(), distances(products)
    dots = products + own[:, None, None] - products[:, :, None] - products[:, None, :]
    itself = torch.eye(len(products), dtype=torch.bool, device=products.device)
    inverse = (1 / length.masked_fill(itself, 1)).masked_fill(itself, 0)
    return dots * inverse[:, :, None] * inverse[:, None, :]


def rkd_distance_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """``mean_ij huber(d_S / mu_S - d_T / mu_T)`` of distances ``d_ij`` between clips, ``mu`` the batch's mean distance.

    Embeddings are ``(B, D)``; the widths may differ. The mean is over all ``B^2`` entries. Exactly zero for one
    clip.

    >>> rkd_distance_loss(torch.eye(3), torch.tensor([[0.0], [1.0], [3.0]]))
    tensor(0.0556)
    """

    def relative(embedding: Tensor) -> Tensor:
        found = distances(_products(embedding))
        pairs = max(len(found) * (len(found) - 1), 1)
        return found / (found.sum() / pairs).clamp(min=EPSILON**0.5)

    return F.smooth_l1_loss(*(relative(embedding) for embedding in precise(student, teacher)))


def rkd_angle_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """``mean_ijk huber(cos_S - cos_T)`` of the angles that three clips make, over all ``B^3`` entries.

    Embeddings are ``(B, D)``; the widths may differ. Exactly zero for one clip.

    >>> rkd_angle_loss(torch.eye(3), torch.tensor([[0.0], [1.0], [3.0]]))
    tensor(0.0926)
    """
    return F.smooth_l1_loss(*(angles(_products(embedding)) for embedding in precise(student, teacher)))


def rkd_loss(
    student: Tensor, teacher: Tensor, distance_weight: float = 25.0, angle_weight: float = 50.0
) -> Tensor:
    """``distance_weight * rkd_distance_loss + angle_weight * rkd_angle_loss``.

    >>> rkd_loss(torch.eye(3), torch.tensor([[0.0], [1.0], [3.0]]))
    tensor(6.0185)
    """
    terms = ((distance_weight, rkd_distance_loss), (angle_weight, rkd_angle_loss))
    return sum((weight * loss(student, teacher) for weight, loss in terms if weight), student.new_zeros(()))


@DISTILLERS.register_module()
class RKD(Distiller):
    """Distances and angles among the embeddings of a batch; there are no parameters.

    Memory is ``B^3`` for the angles, whatever the width of the embedding.

    Published: weight 1, ``distance_weight`` 25, ``angle_weight`` 50.

    Deviations: none.
    """

    needs = Needs(student=("embedding",), teacher=("embedding",))

    def __init__(self, distance_weight: float = 25.0, angle_weight: float = 50.0):
        super().__init__()
        self.distance_weight, self.angle_weight = distance_weight, angle_weight
        if distance_weight == angle_weight == 0:
            raise ValueError("RKD needs a distance_weight or an angle_weight above 0; both are 0")

    def forward(self, student: Fields, teacher: Fields, batch: Fields) -> dict[str, Tensor]:
        embeddings = student.embedding.flatten(1), teacher.embedding.detach().flatten(1)
        return {"loss_rkd": rkd_loss(*embeddings, self.distance_weight, self.angle_weight)}
