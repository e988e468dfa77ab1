"""A training step, its hooks and its task loss wait for no number of the device."""

import pytest
import torch

from kdbench import losses  # noqa: F401 - registers them
from kdbench.engine import TrainLoop
from kdbench.registry import LOSSES, build
from kdbench.spec import IGNORED, SINGLE_LABEL, Fields

from ..waiting import NoWaiting
from . import toy
from .test_cohort import METHODS, of_distillation


@pytest.mark.parametrize("number", range(len(METHODS)))
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_step_and_its_hooks_wait_for_nothing(tmp_path, monkeypatch, number, precision):
    batch_turn, taken = TrainLoop._batch_turn, []

    def watched(loop, *arguments):
        turn = batch_turn(loop, *arguments)
        with NoWaiting():
            next(turn)  # all of it: the pause comes after the step
        taken.append(loop._iter)
        yield from turn
        yield

    monkeypatch.setattr(TrainLoop, "_batch_turn", watched)
    # SGD: AdamW keeps its count of steps, which it reads as a number, on the host.
    wrapper = dict(
        type="PrecisionOptimWrapper",
        precision=precision,
        optimizer=dict(type="SGD", lr=1e-3, momentum=0.9),
        clip_grad=dict(max_norm=5.0),
    )
    hooks = dict(checkpoint=dict(epochs=None, steps=None), non_finite=dict(interval=3), log=dict(interval=2))
    toy.runner(tmp_path, **of_distillation(number, optim_wrapper=wrapper, default_hooks=hooks)).train()
    assert taken == list(range(1, 17))


@pytest.mark.parametrize("name", sorted(LOSSES.module_dict))
def test_task_losses_wait_for_nothing(name):
    loss = build(LOSSES, {"type": name})
    rng = torch.Generator().manual_seed(0)
    for task in loss.needs.tasks:
        labels = torch.arange(6) % 5 if task == SINGLE_LABEL else torch.rand(6, 5, generator=rng).round()
        labels[:2] = IGNORED if task == SINGLE_LABEL else -1
        fields = dict(frame_target=torch.rand(6, 4, 5, generator=rng).round(), target=labels)
        fields |= dict(visible=torch.ones(6, 3, 4, dtype=torch.bool), mask=torch.ones(6, 3, 4, 8, 8))
        said = dict(
            logits=torch.randn(6, 5, generator=rng, requires_grad=True),
            frame_logits=torch.randn(6, 4, 5, generator=rng, requires_grad=True),
            token_logits=torch.randn(6, 5, generator=rng, requires_grad=True),
            actionness_temporal=torch.rand(6, 4, generator=rng, requires_grad=True),
            actionness_spatial=torch.rand(6, 4, generator=rng, requires_grad=True),
            human_logits=torch.randn(6, 3, 4, generator=rng, requires_grad=True),
            best_frames=torch.ones(6, 4, 5, dtype=torch.bool),
        )
        with NoWaiting():
            sum(loss(Fields(said), Fields(fields)).values()).backward()
