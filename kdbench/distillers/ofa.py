"""One-for-All: Bridge the Gap Between Heterogeneous Architectures (Hao et al., NeurIPS 2023)."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from ..registry import DISTILLERS
from ..spec import MULTI_LABEL, DataSpec, Fields, Needs
from .base import Distiller
from .binary import binary_logits, binary_target, known_form
from .norm import AnyNorm
from .precision import precise
from .stages import CONVOLUTIONS

Shape = tuple[int, ...]


def ofa_loss(
    student: Tensor, teacher: Tensor, target: Tensor, eps: float = 1.0, temperature: float = 1.0
) -> Tensor:
    """``-mean_b sum_k [(p_teacher + m)^eps - m] log p_student``, ``m`` one for the target and zero elsewhere.

    Logits are ``(B, K)``, ``target`` is ``(B,)``; clips whose target is negative are left out. ``eps = 1`` is KD's
    cross-entropy; above, the target counts more. No ``temperature^2``.

    >>> import torch
    >>> ofa_loss(torch.eye(2), torch.eye(2), torch.tensor([0, 1]), eps=1.0)
    tensor(0.5822)
    """
    student, teacher = (x / temperature for x in precise(student, teacher))
    classes = torch.arange(student.shape[1], device=target.device)
    own = (target.clamp(min=0)[:, None] == classes).to(student.dtype)  # F.one_hot would wait for the device
    wanted = (teacher.softmax(1) + own) ** eps - own
    each = -(wanted * student.log_softmax(1)).sum(1)
    return (each * (target >= 0)).sum() / (target >= 0).sum().clamp(min=1)


def _halving(rank: int, channels: int, width: int) -> nn.Module:
    """Two separable convolutions, the first of stride 2, with batch normalisation and ReLU."""
    conv = CONVOLUTIONS[rank]
    return nn.Sequential(
        conv(channels, channels, 3, stride=2, padding=1, groups=channels, bias=False),
        conv(channels, channels, 1, bias=False),
        AnyNorm(channels),
        nn.ReLU(),
        conv(channels, channels, 3, padding=1, groups=channels, bias=False),
        conv(channels, width, 1, bias=False),
        AnyNorm(width),
        nn.ReLU(),
    )


class Exit(nn.Module):
    """Class logits ``(B, K)`` from a stage ``(B, C, ...)`` of any rank up to (T, H, W).

    ``halvings`` convolutions of stride 2, each of twice the channels and the last ``width`` wide (a 1 x 1 convolution
    without any), then the mean over positions and a linear classifier. A stage ``(B, C)`` has the linear layers only.
    """

    def __init__(self, shape: Shape, width: int, num_classes: int, halvings: int):
        super().__init__()
        rank, channels = len(shape) - 1, shape[0]
        if rank > 3:
            raise ValueError(
                f"OFA's exits read stages (C), (C, T), (C, H, W) or (C, T, H, W); there is: {tuple(shape)}; "
                "choose others by stages=(...)"
            )
        if rank == 0:
            layers = [nn.Linear(channels, width)]
        elif halvings == 0:
            layers = [CONVOLUTIONS[rank](channels, width, 1)]
        else:
            widths = [channels * 2**i for i in range(halvings)] + [width]
            layers = [_halving(rank, *pair) for pair in pairwise(widths)]
        self.body, self.classify = nn.Sequential(*layers), nn.Linear(width, num_classes)

    def forward(self, stage: Tensor) -> Tensor:
        # With channels last, a depthwise convolution over two frames gets no weight gradient in bfloat16: oneDNN of
        # torch 2.13 leaves that memory as it was, infinities and all.
        hidden = self.body(stage.contiguous())
        return self.classify(hidden.flatten(2).mean(2) if hidden.dim() > 2 else hidden)


@DISTILLERS.register_module()
class OFA(Distiller):
    """Every stage of the student says classes through an exit of its own, so architectures need not match.

    ``shapes`` are those of the student's stages without the batch; ``stages`` says which have an exit (default
    all). Of stages with views in the batch ``(B * V, ...)`` the exit's logits are averaged over the views of a
    clip. ``eps`` is one number or one for each exit and then one for the output. The exits, ``width`` the student's
    last stage, are trained with the student and not used in tests. ``loss_ofa`` is at the output,
    ``loss_ofa_exits`` the sum over exits.

    Published: all weights 1, ``temperature`` 1, ``eps`` 1 on CIFAR and up to 1.5 on ImageNet.

    Several labels: ``form`` is ``"softmax"`` for one label a clip and ``"bernoulli"`` for several; the data's task
    settles it. The Bernoulli form (ours) takes every class of a clip as a two-class question. What has no label
    gives nothing.

    Limits: while training an exit above the last one normalises over the batch and positions, of which there must
    be two.

    Deviations: the exits are those of the reference for a convolutional student, of any rank (``width`` there is
    the wider one of student and teacher); the transformer blocks for token students are left out.
    """

    needs = Needs(student=("logits", "stages"), batch=("target",))

    def __init__(
        self,
        shapes: Sequence[Shape],
        num_classes: int,
        stages: Sequence[int] | None = None,
        eps: float | Sequence[float] = 1.0,
        temperature: float = 1.0,
        width: int | None = None,
        form: str = "softmax",
    ):
        super().__init__()
        count = len(shapes)
        chosen = range(count) if stages is None else stages
        wrong = [stage for stage in chosen if not -count <= stage < count]
        if wrong:
            raise ValueError(f"the student has no stage {wrong[0]}; there is: {count} stages")
        self.stages = [stage % count for stage in chosen]
        self.eps = [eps] * (len(self.stages) + 1) if isinstance(eps, int | float) else list(eps)
        if len(self.eps) != len(self.stages) + 1:
            raise ValueError(
                f"OFA with {len(self.stages)} exits needs one eps more; there is: {tuple(self.eps)}"
            )
        self.temperature, self.form = temperature, known_form(form)
        width = shapes[-1][0] if width is None else width
        self.exits = nn.ModuleList(
            Exit(shapes[stage], width, num_classes, halvings=count - 1 - stage) for stage in self.stages
        )

    @staticmethod
    def infer(student: Fields, teacher: Fields, data: DataSpec) -> dict[str, Any]:
        size, rows = len(student.logits), [len(stage) for stage in student.stages]
        if any(count % size for count in rows):
            raise ValueError(
                f"OFA reads stages of B clips or of B * V views; with B = {size} there is: {rows}; "
                "tap others as stages"
            )
        return {
            "shapes": [tuple(stage.shape[1:]) for stage in student.stages],
            "num_classes": data.num_classes,
            "form": "bernoulli" if data.task == MULTI_LABEL else "softmax",
        }

    def _loss(self, logits: Tensor, teacher: Tensor, target: Tensor, eps: float) -> Tensor:
        if self.form == "bernoulli":
            logits, teacher, target = binary_logits(logits), binary_logits(teacher), binary_target(target)
        return ofa_loss(logits, teacher, target, eps, self.temperature)

    def forward(self, student: Fields, teacher: Fields, batch: Fields) -> dict[str, Tensor]:
        wanted = teacher.logits.detach(), batch.target
        size = len(student.logits)
        pairs = zip(self.exits, self.stages, strict=True)
        # Views that are folded into the batch, clip by clip, speak for their clip together.
        said = [exit_(student.stages[stage]).unflatten(0, (size, -1)).mean(1) for exit_, stage in pairs]
        losses = [
            self._loss(x, *wanted, eps) for x, eps in zip([*said, student.logits], self.eps, strict=True)
        ]
        return {"loss_ofa": losses[-1]} | ({"loss_ofa_exits": sum(losses[:-1])} if said else {})
