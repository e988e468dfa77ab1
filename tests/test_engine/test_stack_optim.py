"""One optimiser over stacked weights takes the steps of K optimisers."""

import pytest
import torch
from mmengine.optim import OptimWrapper
from torch import nn

from kdbench.engine import PrecisionOptimWrapper
from kdbench.engine.stack_optim import ELEMENTWISE, StackedOptimizer
from kdbench.models.stack import Stacked
from kdbench.spec import IncompatibleError

K, STEPS = 3, 4


def networks() -> list[nn.Module]:
    torch.manual_seed(0)
    found = [nn.Sequential(nn.Linear(5, 4), nn.LayerNorm(4), nn.Linear(4, 2)) for _ in range(K)]
    for one in found:
        one.register_parameter("scale", nn.Parameter(torch.randn(())))
    return found


def wrapper(network: nn.Module, kind: type, clip: dict | None, **more) -> PrecisionOptimWrapper:
    named = dict(network.named_parameters())
    slow = {"params": [named.pop("0.weight")], "lr": 0.003, "weight_decay": 0.2}
    settings = {"momentum": 0.9} if kind is torch.optim.SGD else {}
    optimizer = kind([slow, {"params": list(named.values())}], lr=0.01, **settings)
    return PrecisionOptimWrapper(optimizer=optimizer, clip_grad=clip and dict(clip), **more)


def stacked(runs: list[nn.Module]) -> dict[str, Stacked]:
    found = {}
    for name, parameter in runs[0].named_parameters():
        own = [dict(run.named_parameters())[name] for run in runs]
        whole = torch.stack([one.detach() for one in own]).requires_grad_(parameter.requires_grad)
        for k, one in enumerate(own):
            one.data = whole.detach()[k]
        found[name] = Stacked(whole, own)
    return found


def gradients(step: int) -> list[dict[str, torch.Tensor]]:
    """Gradients of each run; the second run's are long, and some step has none for a weight."""
    rng = torch.Generator().manual_seed(step)
    shapes = {name: p.shape for name, p in networks()[0].named_parameters()}
    return [
        {n: (10 if k == 1 else 0.01) * torch.randn(shape, generator=rng) for n, shape in shapes.items()}
        for k in range(K)
    ]


def alone(runs, wrappers, steps) -> None:
    for step in steps:
        for run, optim, grads in zip(runs, wrappers, gradients(step), strict=False):
            for name, parameter in run.named_parameters():
                parameter.grad = None if step == 0 and name == "scale" else grads[name].clone()
            for group in optim.optimizer.param_groups:
                group["lr"] *= 0.9
            optim.step()


def together(optimizer, parameters, steps) -> None:
    for step in steps:
        for name, one in parameters.items():
            grads = torch.stack([grads[name] for grads in gradients(step)])
            one.whole.grad = None if step == 0 and name == "scale" else grads
        for optim in optimizer.wrappers:
            for group in optim.optimizer.param_groups:
                group["lr"] *= 0.9
        optimizer.step()


@pytest.mark.parametrize("clip", [None, {"max_norm": 1.0}, {"type": "value", "clip_value": 0.05}])
@pytest.mark.parametrize("kind", ELEMENTWISE)
def test_it_takes_the_steps_of_k_optimisers(kind, clip) -> None:
    solo, runs = networks(), networks()
    solo_wrappers, wrappers = ([wrapper(run, kind, clip) for run in some] for some in (solo, runs))
    alone(solo, solo_wrappers, range(STEPS))
    parameters = stacked(runs)
    together(StackedOptimizer(wrappers, parameters), parameters, range(STEPS))
    for ours, theirs, mine, its in zip(runs, solo, wrappers, solo_wrappers, strict=True):
        torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(
            mine.optimizer.state_dict()["state"], its.optimizer.state_dict()["state"], rtol=1e-5, atol=1e-6
        )
        if clip and "max_norm" in clip:
            torch.testing.assert_close(mine.grad_norm, its.grad_norm)


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW, torch.optim.NAdam])
def test_runs_join_in_the_middle_and_go_on_alone(kind) -> None:
    solo, runs = networks(), networks()
    solo_wrappers, wrappers = ([wrapper(run, kind, None) for run in some] for some in (solo, runs))
    alone(solo, solo_wrappers, range(6))
    alone(runs, wrappers, range(2))
    parameters = stacked(runs)
    together(StackedOptimizer(wrappers, parameters), parameters, range(2, 4))
    alone(runs[:1], wrappers[:1], range(4, 6))
    torch.testing.assert_close(runs[0].state_dict(), solo[0].state_dict(), rtol=1e-5, atol=1e-6)


class Sign(torch.optim.SGD):
    """Not one of torch's."""


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda run: wrapper(run, Sign, None), "do not go with Sign; there is: SGD, Adam"),
        (
            lambda run: wrapper(run, torch.optim.SGD, None, accumulative_counts=2),
            "with accumulated gradients",
        ),
        (
            lambda run: wrapper(run, torch.optim.SGD, None, precision="float16"),
            r"with mixed precision \(torch.float16\)",
        ),
        (
            lambda run: wrapper(run, torch.optim.SGD, {"max_norm": 1.0, "error_if_nonfinite": True}),
            "clip_grad with error_if_nonfinite; train the seeds one by one",
        ),
        (
            lambda run: type("Own", (OptimWrapper,), {})(wrapper(run, torch.optim.SGD, None).optimizer),
            "a Own;",
        ),
    ],
)
def test_what_has_no_such_form_is_refused(make, message) -> None:
    runs = networks()
    with pytest.raises(IncompatibleError, match=message):
        StackedOptimizer([make(run) for run in runs], stacked(runs))


def test_runs_of_other_settings_are_refused() -> None:
    runs = networks()
    wrappers = [wrapper(run, torch.optim.SGD, None) for run in runs]
    parameters = stacked(runs)
    optimizer = StackedOptimizer(wrappers, parameters)
    wrappers[1].optimizer.param_groups[0]["lr"] = 1.0
    with pytest.raises(IncompatibleError, match="schedules of these runs have gone apart"):
        optimizer.step()
    wrappers[2].optimizer.param_groups[1]["params"].reverse()
    with pytest.raises(IncompatibleError, match="do not hold the same weights"):
        StackedOptimizer(wrappers, parameters)
