"""Generative Model-Based Feature Knowledge Distillation for Action Recognition (Wang et al., AAAI 2024)."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from ..registry import DISTILLERS, near
from ..spec import MULTI_LABEL, DataSpec, Fields, Needs
from .base import Distiller
from .binary import known_form
from .dml import labels_loss
from .heads import POOLINGS, check_pooling, pooling_of
from .precision import precise
from .stages import Shape, chosen, pooled_to, resampled, shapes_of

PHASES = ("joint", "representation", "distillation")


def generator_loss(
    rebuilt: Tensor,
    feature: Tensor,
    mean: Tensor,
    log_variance: Tensor,
    attention: Tensor,
    prior: float = 0.1,
) -> Tensor:
    """``mean (rebuilt - feature)^2 + prior * KL(N(mean, variance) || N(attention, 1))``, the KL a mean too.

    All are ``(B, C, T)``: the bound of a conditional variational auto-encoder whose prior stands at the attention.

    >>> zero, one = torch.zeros(1, 2, 3), torch.ones(1, 2, 3)
    >>> generator_loss(one, zero, mean=one, log_variance=zero, attention=zero)
    tensor(1.0500)
    """
    rebuilt, feature, mean, log_variance, attention = precise(rebuilt, feature, mean, log_variance, attention)
    divergence = ((mean - attention).square() + log_variance.exp() - 1 - log_variance).mean() / 2
    return F.mse_loss(rebuilt, feature) + prior * divergence


def attended_stage(stage: Tensor, attention: Tensor) -> Tensor:
    """A stage ``(B, C, ...)`` times its attention ``(B, C, T)``, over each clip's mean attention.

    T is 1 where the stage has no time axis. An attention that is the same everywhere leaves the stage as it is.

    >>> attended_stage(torch.ones(1, 1, 2), torch.tensor([[[0.9, 0.3]]]))
    tensor([[[1.5000, 0.5000]]])
    """
    share = attention / attention.mean((1, 2), keepdim=True)
    if stage.dim() == 2:
        return stage * share[..., 0]
    return stage * share.reshape(*share.shape, *[1] * (stage.dim() - 3))


def over_time(stage: Tensor) -> Tensor:
    """A stage ``(B, C, ...)`` as ``(B, C, T)``: space is averaged away, and without a time axis T is 1."""
    frames = pooled_to(stage, "T")
    return frames if frames.dim() == 3 else frames[..., None]


class Attention(nn.Sequential):
    """How much each channel matters at each time: ``(B, C, T)`` to logits ``(B, C, T)``."""

    def __init__(self, channels: int):
        super().__init__(
            nn.Conv1d(channels, channels, kernel_size=3, padding=1),
            nn.GroupNorm(1, channels),
            nn.ReLU(),
            nn.Conv1d(channels, channels, kernel_size=1),
        )


class Generator(nn.Module):
    """A variational auto-encoder of features ``(B, C, T)`` given their attention, time by time."""

    def __init__(self, channels: int):
        super().__init__()
        self.encoder = _perceptron(channels, 2 * channels)
        self.decoder = _perceptron(channels, channels)

    def forward(self, feature: Tensor, attention: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """``feature`` rebuilt from a draw of its code; the code's mean and log variance."""
        code = self.encoder(torch.cat((feature, attention), 1).transpose(1, 2)).transpose(1, 2)
        mean, log_variance = precise(*code.chunk(2, dim=1))
        drawn = mean + (log_variance / 2).exp() * torch.randn_like(mean)
        return self._decoded(drawn, attention, {}), mean, log_variance

    def imagined(self, attention: Tensor) -> Tensor:
        """A feature drawn for an attention; the decoder is a constant."""
        (around,) = precise(attention)
        fixed = {name: parameter.detach() for name, parameter in self.decoder.named_parameters()}
        return self._decoded(around + torch.randn_like(around), attention, fixed)

    def _decoded(self, code: Tensor, attention: Tensor, parameters: dict[str, Tensor]) -> Tensor:
        given = torch.cat((code.to(attention.dtype), attention), 1).transpose(1, 2)
        return functional_call(self.decoder, parameters, (given,)).transpose(1, 2)


def _perceptron(channels: int, out_channels: int) -> nn.Sequential:
    """The published three layers, which read a feature or code beside an attention."""
    return nn.Sequential(
        nn.Linear(2 * channels, channels), nn.ReLU(),
        nn.Linear(channels, channels), nn.ReLU(),
        nn.Linear(channels, out_channels),
    )  # fmt: skip


class Fit(nn.Module):
    """``(B, C, T)`` of the student in the teacher's channels and times; as it is where these are equal."""

    def __init__(self, student: tuple[int, int], teacher: tuple[int, int]):
        super().__init__()
        self.frames = teacher[1]
        self.map = nn.Identity() if student == teacher else nn.Conv1d(student[0], teacher[0], kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        return resampled(self.map(x), (self.frames,))


@DISTILLERS.register_module()
class Generative(Distiller):
    """What a student's last stage attends to becomes what the teacher's does, and what a generator makes of it.

    Each network gets an attention (which channels matter when, in (0, 1)) and a generator of its last stage given the
    attention. The paper has two phases, which are two rows, the second with ``starts_from`` the first:

    1. ``phase="representation"`` with ``task_weight=0``: the teacher's attention learns to classify what it lets
       through (with the teacher's last layer) and to let its generator imagine the stage; the student learns nothing.
    2. ``phase="distillation"`` with the ``weights`` of the first's distiller: those are fixed, and the student starts
       afresh.

    The default ``phase="joint"`` needs one row only: each loss trains its own part, in one step.

    - ``loss_generative_teacher``: ``labels_loss`` of the attended stage, ``rebuilding`` times the squared error of the
      imagined stage, and ``generator_loss``;
    - ``loss_generative_generator``: ``generator_loss`` of the student's generator, and ``agreement`` times the squared
      error to what the teacher's makes of the same stage; the student is a constant here;
    - ``loss_generative_reconstruction``: ``rebuilding`` times the mean squared error of the student's stage and the one
      that its generator, a constant here, imagines;
    - ``loss_generative_attention``: ``beta`` times the mean squared error of both attentions.

    With ``attended`` the student's logits are those of its attended stage, in tests too, so the task's loss trains its
    attention. Both terms with ``rebuilding`` grow from 0 over 20 epochs in the released code: a ``Ramp`` of
    ``model.distiller.rebuilding`` does that.

    Published: ``prior`` 0.1, ``agreement`` 0.01, ``rebuilding`` 0.5 and ``beta`` 0.1 beside the task's loss.

    Several labels: ``form`` is ``"softmax"`` for one label a clip and ``"bernoulli"`` for several; the data's task
    settles it.

    Limits: both networks end in the mean (or mean and maximum) of their last stage and one linear layer.

    Deviations: a reconstruction from the released code. There both networks are one architecture, so where channels or
    times differ here, trained maps come between; space is averaged away before the generators; the attended stage is
    divided by a clip's mean attention (there: by a sum over the batch); generator and student step at once (there:
    epochs in turn, with two optimisers); the attended stage meets no dropout.
    """

    needs = Needs(
        student=("stages", "embedding"),
        teacher=("stages", "embedding"),
        batch=("target",),
        heads=("student", "teacher"),
    )

    def __init__(
        self,
        student_shapes: Sequence[Shape],
        teacher_shapes: Sequence[Shape],
        student_pooling: str = "mean",
        teacher_pooling: str = "mean",
        prior: float = 0.1,
        agreement: float = 0.01,
        rebuilding: float = 0.5,
        beta: float = 0.1,
        attended: bool = True,
        phase: str = "joint",
        form: str = "softmax",
    ):
        super().__init__()
        if phase not in PHASES:
            raise ValueError(f"phase '{phase}' is unknown; {near(phase, PHASES)}")
        self.prior, self.agreement, self.rebuilding, self.beta = prior, agreement, rebuilding, beta
        self.attended, self.phase, self.form = attended, phase, known_form(form)
        poolings = {"student": student_pooling, "teacher": teacher_pooling}
        self.poolings = {role: check_pooling(pooling) for role, pooling in poolings.items()}
        self._heads: dict[str, nn.Linear] = {}  # not modules of ours: they are the networks' own
        shapes = [_timed(role, of) for role, of in (("student", student_shapes), ("teacher", teacher_shapes))]
        student, teacher = shapes
        self.look_teacher, self.generate_teacher = Attention(teacher[0]), Generator(teacher[0])
        self.look, self.generate = Attention(student[0]), Generator(teacher[0])
        self.fit_feature, self.fit_attention = Fit(*shapes), Fit(*shapes)
        self._freeze()

    def _freeze(self) -> None:
        for module in (self.look_teacher, self.generate_teacher):
            module.requires_grad_(self.phase != "distillation")
        for module in (self.look, self.generate, self.fit_feature, self.fit_attention):
            module.requires_grad_(self.phase != "representation")
        self.is_kept, self.needs_weights = self.phase == "representation", self.phase == "distillation"

    @staticmethod
    def infer(student: Fields, teacher: Fields, data: DataSpec) -> dict[str, Any]:
        shapes = shapes_of(student.stages, teacher.stages)
        poolings = {
            f"{role}_pooling": pooling_of("Generative", role, outputs.stages[-1], outputs.embedding)
            for role, outputs in (("student", student), ("teacher", teacher))
        }
        return {**shapes, **poolings, "form": "bernoulli" if data.task == MULTI_LABEL else "softmax"}

    def borrow(self, student: nn.Linear, teacher: nn.Linear) -> None:
        self._heads = {"student": student, "teacher": teacher}

    def predict(self, student: Fields) -> Tensor:
        if not self.attended or self.phase == "representation":
            return student.logits
        stage = student.stages[-1]
        return self._classified("student", stage, self.look(over_time(stage)).sigmoid())

    def _classified(self, role: str, stage: Tensor, attention: Tensor) -> Tensor:
        """The logits of an attended stage."""
        if role not in self._heads:
            raise ValueError(
                f"Generative has no last linear layer of the {role}; give both by borrow(student=, teacher=)"
            )
        head, pool = self._heads[role], POOLINGS[self.poolings[role]]
        return F.linear(pool(attended_stage(stage, attention)), head.weight, head.bias)

    def forward(self, student: Fields, teacher: Fields, batch: Fields) -> dict[str, Tensor]:
        stage = teacher.stages[-1].detach()
        target = self.look_teacher(over_time(stage)).sigmoid()
        losses = {}
        if self.phase != "distillation":
            losses["teacher"] = self._representation(stage, target, batch)
        if self.phase != "representation":
            losses.update(self._distillation(over_time(student.stages[-1]), target.detach()))
        return {f"loss_generative_{name}": value for name, value in losses.items()}

    def _representation(self, stage: Tensor, attention: Tensor, batch: Fields) -> Tensor:
        """What the teacher's attention and generator learn."""
        labels = labels_loss(self._classified("teacher", stage, attention), batch.target, self.form)
        feature, fixed = over_time(stage), attention.detach()
        imagined = F.mse_loss(*precise(self.generate_teacher.imagined(attention), feature))
        rebuilt, *code = self.generate_teacher(feature, fixed)
        return (
            labels + self.rebuilding * imagined + generator_loss(rebuilt, feature, *code, fixed, self.prior)
        )

    def _distillation(self, frames: Tensor, target: Tensor) -> dict[str, Tensor]:
        """What the student, its attention and its generator learn; ``frames`` is the student's stage over time."""
        feature, attention = self.fit_feature(frames), self.fit_attention(self.look(frames)).sigmoid()
        fixed = feature.detach(), attention.detach()
        rebuilt, *code = self.generate(*fixed)
        with torch.no_grad():
            from_teacher, *_ = self.generate_teacher(*fixed)
        own = generator_loss(rebuilt, fixed[0], *code, fixed[1], self.prior)
        agreeing = F.mse_loss(*precise(rebuilt, from_teacher))
        imagined = F.mse_loss(*precise(self.generate.imagined(attention), feature))
        return {
            "generator": own + self.agreement * agreeing,
            "reconstruction": self.rebuilding * imagined,
            "attention": self.beta * F.mse_loss(*precise(attention, target)),
        }


def _timed(role: str, shapes: Sequence[Shape]) -> tuple[int, int]:
    """Channels and times of the last stage."""
    last = torch.empty(1, *chosen(role, shapes, -1), device="meta")
    channels, frames = over_time(last).shape[1:]
    return channels, frames
