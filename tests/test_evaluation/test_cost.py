"""Costs of models whose operations can be counted by hand."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

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


BATCH, STEPS, WIDTH, HEADS, HIDDEN = 2, 7, 16, 4, 8
PROJECTIONS, PAIRS = (
    4 * STEPS * WIDTH * WIDTH,
    2 * STEPS * STEPS * WIDTH,
)  # of queries, keys, values, out; q·k and ·v


class Attention(nn.Module):
    """``nn.MultiheadAttention`` with or without the weights, or torch's function alone."""

    def __init__(self, kind: str):
        super().__init__()
        self.kind = kind
        self.layer = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        if self.kind == "function":
            heads = x.unflatten(2, (HEADS, -1)).transpose(1, 2)
            return F.scaled_dot_product_attention(heads, heads, heads)
        return self.layer(x, x, x, need_weights=self.kind == "weights")[0]


@pytest.mark.parametrize(
    ("model", "products"),
    [
        (Attention("function"), PAIRS),
        (Attention("layer"), PROJECTIONS + PAIRS),
        (Attention("weights"), PROJECTIONS + PAIRS),
        (
            nn.TransformerEncoderLayer(WIDTH, HEADS, HIDDEN, batch_first=True),
            PROJECTIONS + PAIRS + 2 * STEPS * WIDTH * HIDDEN,
        ),
        (nn.LSTM(WIDTH, HIDDEN, batch_first=True), STEPS * 4 * HIDDEN * (WIDTH + HIDDEN)),
        (
            nn.LSTM(WIDTH, HIDDEN, num_layers=2, bidirectional=True, batch_first=True),
            STEPS * 2 * 4 * HIDDEN * ((WIDTH + HIDDEN) + (2 * HIDDEN + HIDDEN)),
        ),
        (nn.GRU(WIDTH, HIDDEN, batch_first=True), STEPS * 3 * HIDDEN * (WIDTH + HIDDEN)),
    ],
    ids=["function", "attention", "attention with weights", "encoder layer", "lstm", "deep lstm", "gru"],
)
def test_what_torch_fuses_costs_its_products(model: nn.Module, products: int) -> None:
    assert gmacs(model, torch.zeros(BATCH, STEPS, WIDTH)) * 1e9 == pytest.approx(BATCH * products)


@pytest.mark.parametrize("fast", [True, False])
def test_counting_leaves_the_fast_paths_as_they_were(fast: bool) -> None:
    before = torch.backends.mha.get_fastpath_enabled(), torch.backends.cuda.flash_sdp_enabled()
    torch.backends.mha.set_fastpath_enabled(fast)
    try:
        gflops(nn.Linear(2, 2), torch.zeros(1, 2))
        with pytest.raises(RuntimeError):
            gflops(nn.Linear(2, 2), torch.zeros(1, 3))
        assert torch.backends.mha.get_fastpath_enabled() is fast
        assert torch.backends.cuda.flash_sdp_enabled() is before[1]
    finally:
        torch.backends.mha.set_fastpath_enabled(before[0])


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
