"""Costs of models whose operations can be counted by hand."""

import pytest
import torch
from torch import nn

from kdbench.evaluation import gflops, gmacs, latency, parameters, timed


def test_parameters_are_counted_once() -> None:
    shared = nn.Linear(4, 4, bias=False)
    frozen = nn.Linear(4, 2).requires_grad_(False)
    model = nn.Sequential(shared, shared, frozen)
    assert parameters(model) == 16 + 10
    assert parameters(model, trainable_only=True) == 16


def test_a_convolution_costs_two_operations_a_product() -> None:
    model, image = nn.Conv2d(3, 8, kernel_size=5, bias=False), torch.zeros(2, 3, 12, 12)
    products = 2 * 8 * 8 * 8 * 3 * 5 * 5
    assert gmacs(model, image) == pytest.approx(products / 1e9)
    assert gflops(model, image) == pytest.approx(2 * products / 1e9)


def test_latency_leaves_the_model_as_it_was() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.BatchNorm1d(4))
    model[1].eval()
    before = model[2].running_mean.clone()
    time = latency(model, torch.ones(3, 4), repeats=5, warmup=1)
    assert 0 < time.p50 <= time.p95
    assert [module.training for module in model] == [True, False, True]
    assert torch.equal(model[2].running_mean, before)


def test_a_call_is_timed_after_it_is_warm() -> None:
    ticks = iter(
        [0.0, 9.0, 10.0, 19.0, 20.0, 20.001, 30.0, 30.003, 40.0, 40.002]
    )  # the first two are warm-up
    calls = []
    found = timed(lambda: calls.append(0), repeats=3, warmup=2, clock=lambda: next(ticks))
    assert len(calls) == 5
    assert found.p50 == pytest.approx(2.0, abs=1e-3)
    assert found.p95 == pytest.approx(2.9, abs=1e-3)


@pytest.mark.parametrize(("repeats", "warmup"), [(0, 5), (-1, 5), (5, -4)])
def test_nothing_and_less_are_not_timed(repeats: int, warmup: int) -> None:
    with pytest.raises(ValueError, match=f"repeats={repeats}, warmup={warmup}; there is: repeats from 1"):
        timed(lambda: pytest.fail("called"), repeats, warmup)
