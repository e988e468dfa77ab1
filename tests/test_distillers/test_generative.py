"""Generative feature distillation: its bound, its attention, what each loss trains, its two phases."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Normal, kl_divergence

from kdbench.distillers import Generative, attended_stage, generator_loss
from kdbench.distillers.generative import Generator, over_time
from kdbench.spec import MULTI_LABEL, DataSpec, Fields

K = 5
DATA = DataSpec("toy", {}, K)
TEACHER, STUDENT = ("look_teacher", "generate_teacher"), ("look", "generate", "fit_feature", "fit_attention")
STUDENT_LOSSES = {f"loss_generative_{name}" for name in ("generator", "reconstruction", "attention")}


def made(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def outputs(seed: int, *shape: int) -> Fields:
    stage = made(seed, *shape).relu().requires_grad_()
    pooled = stage.flatten(2).mean(2) if stage.dim() > 2 else stage
    return Fields(stages=[stage], embedding=pooled.detach(), logits=made(seed + 9, shape[0], K))


def built(student: Fields, teacher: Fields, **config) -> Generative:
    torch.manual_seed(0)
    method = Generative(**{**Generative.infer(student, teacher, DATA), **config}).double()
    widths = (fields.embedding.shape[1] for fields in (student, teacher))
    heads = [nn.Linear(width, K).double() for width in widths]
    method.borrow(student=heads[0], teacher=heads[1])
    return method


def trained_by(loss: torch.Tensor, method: Generative) -> set[str]:
    """The parts of a method that a loss gives a gradient."""
    names, parameters = zip(*method.named_parameters(), strict=True)
    gradients = torch.autograd.grad(loss, parameters, allow_unused=True, retain_graph=True)
    return {name.split(".")[0] for name, found in zip(names, gradients, strict=True) if found is not None}


def pair() -> tuple[Fields, Fields, Fields]:
    return outputs(0, 3, 4, 8), outputs(1, 3, 6, 5), Fields(target=torch.tensor([0, 3, -100]))


def test_the_bound_is_an_error_and_a_divergence_from_a_prior_at_the_attention() -> None:
    rebuilt, feature, mean, log_variance, attention = (made(i, 2, 3, 4) for i in range(5))
    posterior, prior = Normal(mean, (log_variance / 2).exp()), Normal(attention, torch.ones_like(attention))
    expected = (rebuilt - feature).square().mean() + 0.3 * kl_divergence(posterior, prior).mean()
    found = generator_loss(rebuilt, feature, mean, log_variance, attention, prior=0.3)
    torch.testing.assert_close(found, expected)
    zero = torch.zeros_like(mean)
    assert generator_loss(feature, feature, attention, zero, attention) == 0


@pytest.mark.parametrize("grid", [(), (5,), (3, 2), (5, 3, 2)], ids=str)
def test_attention_weighs_channels_and_times_of_each_clip(grid) -> None:
    stage, times = made(0, 2, 4, *grid), grid[0] if len(grid) in (1, 3) else 1
    attention = made(1, 2, 4, times).sigmoid()
    found = attended_stage(stage, attention)
    for clip in range(2):
        for channel in range(4):
            for time in range(times):
                place = (clip, channel, time) if times > 1 else (clip, channel)
                expected = stage[place] * attention[clip, channel, time] / attention[clip].mean()
                torch.testing.assert_close(found[place], expected)
    torch.testing.assert_close(attended_stage(stage, torch.full_like(attention, 0.2)), stage)
    assert over_time(stage).shape == (2, 4, times)


def test_a_generator_draws_around_its_code_and_around_the_attention() -> None:
    torch.manual_seed(0)
    generator, feature, attention = Generator(3).double(), made(0, 2, 3, 4), made(1, 2, 3, 4).sigmoid()
    torch.manual_seed(7)
    rebuilt, mean, log_variance = generator(feature, attention)
    torch.manual_seed(7)
    code = mean + (log_variance / 2).exp() * torch.randn_like(mean)
    expected = generator.decoder(torch.cat((code, attention), 1).transpose(1, 2)).transpose(1, 2)
    torch.testing.assert_close(rebuilt, expected)
    torch.manual_seed(7)
    imagined = generator.imagined(attention)
    torch.manual_seed(7)
    code = attention + torch.randn_like(attention)
    expected = generator.decoder(torch.cat((code, attention), 1).transpose(1, 2)).transpose(1, 2)
    torch.testing.assert_close(imagined, expected)


def test_a_generator_learns_what_it_is_shown() -> None:
    torch.manual_seed(0)
    generator = Generator(3)
    attention = made(1, 8, 3, 4).sigmoid().float()
    feature = 4 * attention
    optimiser = torch.optim.Adam(generator.parameters(), lr=1e-2)

    def bound() -> torch.Tensor:
        rebuilt, *code = generator(feature, attention)
        return generator_loss(rebuilt, feature, *code, attention)

    before = bound().item()
    for _ in range(200):
        optimiser.zero_grad()
        bound().backward()
        optimiser.step()
    assert bound().item() < before / 4


@pytest.mark.parametrize("student", [(4, 8), (4,), (4, 3, 2), (6, 5)], ids=str)
def test_each_loss_trains_its_own_part(student) -> None:
    own, other = outputs(0, 3, *student), outputs(1, 3, 6, 5)
    if len(student) == 3:
        other = outputs(1, 3, 6, 5, 2, 2)
    method, batch = built(own, other), Fields(target=torch.tensor([0, 3, -100]))
    losses = method(own, other, batch)
    assert set(losses) == {"loss_generative_teacher", *STUDENT_LOSSES}
    fits = set() if student == (6, 5) else {"fit_feature", "fit_attention"}
    parts = {
        "teacher": set(TEACHER),
        "generator": {"generate"},
        "reconstruction": {"look", *fits},
        "attention": {"look", *fits - {"fit_feature"}},
    }
    for name, expected in parts.items():
        loss = losses[f"loss_generative_{name}"]
        assert trained_by(loss, method) == expected, name
        (gradient,) = torch.autograd.grad(loss, own.stages, allow_unused=True, retain_graph=True)
        assert (gradient is not None) == (name in ("reconstruction", "attention")), name
        assert torch.autograd.grad(loss, other.stages, allow_unused=True, retain_graph=True) == (None,)


def test_attention_is_compared_with_the_teacher_s() -> None:
    own, other, batch = pair()
    method = built(own, other, beta=0.7)
    mine = method.fit_attention(method.look(own.stages[0])).sigmoid()
    theirs = method.look_teacher(other.stages[0]).sigmoid()
    expected = 0.7 * (mine - theirs).square().mean()
    torch.testing.assert_close(method(own, other, batch)["loss_generative_attention"], expected)


def test_the_logits_are_those_of_the_attended_stage() -> None:
    own, other, _ = pair()
    method = built(own, other)
    attention = method.look(own.stages[0]).sigmoid()
    seen = (own.stages[0] * attention / attention.mean((1, 2), keepdim=True)).mean(2)
    torch.testing.assert_close(method.predict(own), method._heads["student"](seen))
    nn.init.zeros_(method.look[-1].weight)
    nn.init.zeros_(method.look[-1].bias)
    torch.testing.assert_close(method.predict(own), method._heads["student"](own.embedding))
    assert built(own, other, attended=False).predict(own) is own.logits
    assert built(own, other, phase="representation").predict(own) is own.logits


def test_the_teacher_s_parts_learn_first_and_are_then_kept() -> None:
    own, other, batch = pair()
    first, second = (built(own, other, phase=phase) for phase in ("representation", "distillation"))
    assert (first.is_kept, first.needs_weights) == (True, False)
    assert (second.is_kept, second.needs_weights) == (False, True)
    losses = first(own, other, batch)
    assert set(losses) == {"loss_generative_teacher"}
    learns = {name.split(".")[0] for name, p in first.named_parameters() if p.requires_grad}
    assert learns == set(TEACHER)
    second.load_state_dict(first.state_dict())
    assert set(second(own, other, batch)) == STUDENT_LOSSES
    learns = {name.split(".")[0] for name, p in second.named_parameters() if p.requires_grad}
    assert learns == set(STUDENT)


def test_the_teacher_s_attention_learns_from_labels_that_there_are() -> None:
    own, other, batch = pair()
    method = built(own, other, rebuilding=0.0, prior=0.0)
    attention = method.look_teacher(other.stages[0]).sigmoid()
    seen = (other.stages[0] * attention / attention.mean((1, 2), keepdim=True)).mean(2)
    labels = F.cross_entropy(method._heads["teacher"](seen)[:2], batch.target[:2])
    torch.manual_seed(3)
    found = method(own, other, batch)["loss_generative_teacher"]
    torch.manual_seed(3)
    method.generate_teacher.imagined(attention)  # draws before the rebuilt stage does
    rebuilt, *_ = method.generate_teacher(other.stages[0], attention)
    torch.testing.assert_close(found, labels + F.mse_loss(rebuilt, other.stages[0]))
    several = Generative.infer(own, other, DataSpec("toy", {}, K, MULTI_LABEL))
    assert several["form"] == "bernoulli"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Generative([(4, 8)], [(6, 5)], phase="distil"),
            "phase 'distil' is unknown; did you mean: distillation?",
        ),
        (
            lambda: Generative([(4, 8)], [(6, 5)]).double().predict(outputs(0, 2, 4, 8)),
            "Generative has no last linear layer of the student; give both by borrow(student=, teacher=)",
        ),
    ],
)
def test_what_cannot_work_is_said(make, message) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the whole text is compared
        make()
    assert str(error.value) == message
