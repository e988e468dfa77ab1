"""VPN++: Rethinking Video-Pose Embeddings for Understanding Activities of Daily Living (Das et al., TPAMI 2021)."""

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..registry import DISTILLERS, near
from ..spec import MULTI_LABEL, DataSpec, Fields, Needs
from .base import Distiller
from .binary import known_form
from .dml import labels_loss
from .infonce import share_a_class
from .precision import precise, without_autocast
from .stages import CONVOLUTIONS, Shape, chosen

SIMILARITIES = ("cosine", "dot")


def attention_level_loss(student: Tensor, pose: Tensor) -> Tensor:
    """Squared error of two attentions ``(B, P)`` over P positions, summed over everything, the batch included.

    >>> attention_level_loss(torch.zeros(2, 3), torch.ones(2, 3))
    tensor(6.)
    """
    student, pose = precise(student, pose)
    return (student - pose).square().sum()


def matching_loss(
    student: Tensor, pose: Tensor, same: Tensor | None = None, similarity: str = "cosine"
) -> Tensor:
    """Binary cross-entropy of ``exp(s_i . p_j)`` as a logit: 1 for a clip's own pose, 0 for another clip's.

    Embeddings are ``(B, D)``, for ``"cosine"`` taken at length one; ``"dot"`` overflows for products above 88. Own and
    other poses count one half each, whatever their number: this is the mean over all draws of one other clip for each.
    Pairs that are true in ``same`` ``(B, B)`` are no others. A clip without others has its own pose only.

    >>> matching_loss(torch.eye(2), torch.eye(2))
    tensor(0.6886)
    """
    student, pose = precise(student, pose)
    if similarity == "cosine":
        student, pose = F.normalize(student, dim=1), F.normalize(pose, dim=1)
    with without_autocast(student):
        logits = (student @ pose.T).exp()
    others = ~torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    if same is not None:
        others = others & ~same
    count = others.sum(1)
    against = (F.softplus(logits) * others).sum(1) / count.clamp(min=1)
    return (F.softplus(-logits.diagonal()).mean() + against.sum() / (count > 0).sum().clamp(min=1)) / 2


@DISTILLERS.register_module()
class VPNPP(Distiller):
    """Poses say where to look in a student's stage, and what its embedding should match.

    - ``loss_vpnpp_guided``: ``point``, one linear layer and a sigmoid, turns the teacher's embedding into an attention
      ``A`` over all positions of the stage ``x``; a linear classifier of its own on the mean of ``x A + x`` learns from
      labels. This trains ``A``: the stage is a constant.
    - ``loss_vpnpp_attention``: ``attention_level_loss`` of the student's own attention (a 1 x 1 convolution of the
      stage and a sigmoid) and ``A``, which is a constant here.
    - ``loss_vpnpp_feature``: ``matching_loss`` of both embeddings, each embedded in ``feat_dim`` numbers.

    ``guided``, ``attention`` and ``feature`` are the weights; a term of weight 0 is left out for good and reads
    nothing. ``similarity`` is that of ``matching_loss``. With ``by_class`` clips that share a class are no others of
    each other. Nothing of it is used in tests.

    Published: 0.1, 0.001 and 0.001 beside 0.9 of the task's loss, in batches of 16; the sum over positions and clips
    grows with the batch. The released script takes ``similarity="dot"`` and ``by_class=False``.

    Several labels: ``form`` is ``"softmax"`` for one label a clip and ``"bernoulli"`` for several; the data's task
    settles it.

    Limits: the stage needs two positions or more, and one map a clip; a student that folds views into the batch is
    refused.

    Deviations: a reconstruction from the released script, since the paper's text could not be read. There the poses'
    network learns with the attention and a copy of the student reads what it points at; here the teacher is fixed and
    the stage is the student's own. The student's attention is a layer of its own there, and changes what it sees.
    """

    needs = Needs(student=("stages", "embedding"), teacher=("embedding",), batch=("target",))

    def __init__(
        self,
        student_shapes: Sequence[Shape] = (),
        student_dim: int = 0,
        teacher_dim: int = 0,
        num_classes: int = 0,
        guided: float = 0.1,
        attention: float = 0.001,
        feature: float = 0.001,
        stage: int = -1,
        feat_dim: int = 128,
        similarity: str = "cosine",
        by_class: bool = True,
        form: str = "softmax",
    ):
        super().__init__()
        if similarity not in SIMILARITIES:
            raise ValueError(f"similarity '{similarity}' is unknown; {near(similarity, SIMILARITIES)}")
        _check_weights(guided, attention, feature)
        self.guided, self.attention, self.feature, self.stage = guided, attention, feature, stage
        self.leave_out(guided=guided, attention=attention, feature=feature)
        self.similarity, self.by_class, self.form = similarity, by_class, known_form(form)
        self.needs = self.needs_for(vars(self))
        if guided:
            channels, *grid = _with_positions(chosen("student", student_shapes, stage))
            self.point = nn.Linear(teacher_dim, math.prod(grid))
            self.classify = nn.Linear(channels, num_classes)
            if attention:
                self.look = CONVOLUTIONS[len(grid)](channels, 1, kernel_size=1)
        if feature:
            self.embed_student = nn.Linear(student_dim, feat_dim)
            self.embed_teacher = nn.Linear(teacher_dim, feat_dim)

    @classmethod
    def needs_for(cls, config: dict[str, Any]) -> Needs:
        guided, feature = config.get("guided", 0.1), config.get("feature", 0.001)
        read = {"stages": guided, "embedding": feature}
        reads_labels = guided or config.get("by_class", True)
        return Needs(
            student=tuple(name for name, weight in read.items() if weight),
            teacher=("embedding",),
            batch=("target",) if reads_labels else (),
        )

    @staticmethod
    def infer(student: Fields, teacher: Fields, data: DataSpec) -> dict[str, Any]:
        found: dict[str, Any] = {
            "teacher_dim": teacher.embedding[0].numel(),
            "num_classes": data.num_classes,
            "form": "bernoulli" if data.task == MULTI_LABEL else "softmax",
        }
        if "embedding" in student:
            found["student_dim"] = student.embedding[0].numel()
        if "stages" in student:
            _check_views(student.stages, len(teacher.embedding))
            found["student_shapes"] = [tuple(stage.shape[1:]) for stage in student.stages]
        return found

    def forward(self, student: Fields, teacher: Fields, batch: Fields) -> dict[str, Tensor]:
        pose, losses = teacher.embedding.detach().flatten(1), {}
        if "guided" not in self.left_out:
            losses = self._looking(student.stages[self.stage], pose, batch)
        if "feature" not in self.left_out:
            same = share_a_class(batch.target) if self.by_class else None
            pair = self.embed_student(student.embedding.flatten(1)), self.embed_teacher(pose)
            losses["feature"] = self.feature * matching_loss(*pair, same, self.similarity)
        return {f"loss_vpnpp_{name}": value for name, value in losses.items()}

    def _looking(self, stage: Tensor, pose: Tensor, batch: Fields) -> dict[str, Tensor]:
        """The terms of attention; ``stage`` is ``(B, C, ...)``."""
        pointed = self.point(pose).sigmoid()  # (B, P)
        shown = stage.detach().flatten(2)
        guess = self.classify((shown * pointed[:, None] + shown).mean(2))
        losses = {"guided": self.guided * labels_loss(guess, batch.target, self.form)}
        if "attention" not in self.left_out:
            own = self.look(stage).flatten(1).sigmoid()
            losses["attention"] = self.attention * attention_level_loss(own, pointed.detach())
        return losses


def _check_weights(guided: float, attention: float, feature: float) -> None:
    if attention and not guided:
        raise ValueError(
            f"attention={attention} with guided=0: nothing would teach where poses point; give guided a weight, or "
            "attention=0"
        )
    if not (guided or feature):
        raise ValueError("VPNPP has no term left: guided=0 and feature=0; give one of them a weight")


def _with_positions(shape: Shape) -> Shape:
    """``shape`` if it has positions to choose from."""
    if math.prod(shape[1:]) < 2:
        raise ValueError(
            f"VPNPP points at positions of a stage, (C, T), (C, H, W) or (C, T, H, W); the student's is {shape}; "
            "give stage= of another, or guided=0 and attention=0"
        )
    return shape


def _check_views(stages: Sequence[Tensor], clips: int) -> None:
    """Refuse stages with views in the batch."""
    maps = {len(stage) for stage in stages} - {clips}
    if maps:
        raise ValueError(
            f"for {clips} clips the student's stages hold {max(maps)} maps: views are folded into the batch; take a "
            "network of one view, or a method on logits or embeddings"
        )
