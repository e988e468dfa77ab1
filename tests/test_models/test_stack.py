"""Every method either trains several models together as each alone, or is refused before a step."""

import copy
from contextlib import contextmanager

import pytest
import torch
from torch import nn

from kdbench.models import Distillation
from kdbench.models.checks import rehearsal_batch
from kdbench.models.stack import StackedModels
from kdbench.registry import MODELS, build
from kdbench.spec import IncompatibleError
from tests.test_product import Combination, built, data_kinds, distiller_kinds, fitting

from .toys import DATA, ToyInertial

STEPS, NEAR = 2, 1e-3  # of a step's gradients, relative to their length


@contextmanager
def drawing(k: int):
    torch.manual_seed(k)
    yield


def batches(data, step: int) -> list[dict]:
    rng = torch.Generator().manual_seed(step)
    found = [rehearsal_batch(data) for _ in range(2)]
    for one in found:
        one["inputs"] = {name: torch.randn(v.shape, generator=rng) for name, v in one["inputs"].items()}
    return found


def pair(model: Distillation) -> list[Distillation]:
    """Two models with other students, whose dropout is off."""
    found = [model.train(), copy.deepcopy(model)]
    with torch.no_grad():
        for parameter in found[1].student.parameters():
            parameter.mul_(1.01)
    for module in (module for one in found for module in one.modules()):
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.p = 0.0
    return found


def alone(model: Distillation, k: int, batch: dict) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    model.zero_grad()
    student = model._roles["student"](batch["inputs"])
    with drawing(k):
        fields = type(student)({name: value for name, value in batch.items() if name != "inputs"})
        lesson = model.lesson(batch["inputs"], fields)
        loss = model.parse_losses(model.losses(student, lesson, fields))[0]
    loss.backward()
    return loss.detach(), {n: p.grad for n, p in model.named_parameters() if p.grad is not None}


def assert_equal(models: list[Distillation]) -> None:
    solo = [copy.deepcopy(model) for model in models]
    stacked = StackedModels(models)
    stacked.rehearse(batches(models[0].data, 0))
    for step in range(STEPS):
        given = batches(models[0].data, step)
        losses = [own["loss"] for own in stacked.losses(given, drawing)]
        torch.stack(losses).sum().backward()
        stacked.gather()
        for k, (model, batch) in enumerate(zip(solo, given, strict=True)):
            loss, grads = alone(model, k, batch)
            torch.testing.assert_close(losses[k].detach(), loss, rtol=NEAR, atol=1e-5)
            ours = {
                name: one.whole.grad[k]
                for name, one in stacked.parameters.items()
                if one.whole.grad is not None
            }
            assert {*ours} == {*grads}
            length = torch.stack([grad.norm() for grad in grads.values()]).norm()
            apart = torch.stack([(ours[name] - grad).norm() for name, grad in grads.items()]).norm()
            assert apart <= NEAR * length + 1e-6
            torch.testing.assert_close(models[k].state_dict(), model.state_dict(), rtol=1e-3, atol=1e-4)
        for one in stacked.parameters.values():
            one.whole.grad = None


@pytest.mark.slow
@pytest.mark.parametrize("distiller", distiller_kinds())
def test_a_method_trains_models_together_as_alone_or_is_refused(distiller: str) -> None:
    names = ((data, *pairs) for data in data_kinds() for pairs in fitting(data, distiller))
    model = next(
        m for n in names if isinstance(m := built(Combination(n[0], *n[1:], distiller)), Distillation)
    )
    try:
        assert_equal(pair(model))
    except IncompatibleError as refusal:
        assert "train the seeds one by one" in str(refusal)  # noqa: PT017


def toy(student: type[nn.Module]) -> list[Distillation]:
    return pair(build(MODELS, {"type": Distillation, "data": DATA, "student": {"type": student}}))


class Undecided(ToyInertial):
    def forward(self, inertial):
        return super().forward(inertial if inertial.mean() > 0 else -inertial)


class Drawing(ToyInertial):
    def forward(self, inertial):
        return super().forward(inertial + torch.randn_like(inertial) if self.training else inertial)


class Counting(ToyInertial):
    """Gives something else each time it is asked."""

    def forward(self, inertial):
        self.asked = getattr(self, "asked", 0) + 1
        return super().forward(inertial) * self.asked


@pytest.mark.parametrize(
    ("student", "reason"),
    [(Undecided, "data-dependent"), (Drawing, "random"), (Counting, "its outputs 'logits' are others")],
)
def test_a_network_that_does_not_stack_is_refused_and_left_as_it_was(student, reason) -> None:
    models = toy(student)
    before = [copy.deepcopy(model.state_dict()) for model in models]
    with pytest.raises(IncompatibleError, match=reason):
        StackedModels(models).rehearse(batches(models[0].data, 0))
    for model, state in zip(models, before, strict=True):
        torch.testing.assert_close(model.state_dict(), state, rtol=0, atol=0)
        assert all(module.training for module in model.student.modules())


def test_a_toy_that_stacks() -> None:
    assert_equal(toy(ToyInertial))
