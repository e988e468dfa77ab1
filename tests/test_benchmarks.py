"""The benchmark of the losses computes what it says: every method has an entry, every comparison is of equals."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.allocations import peak_bytes
from benchmarks.interleaved import interleaved, ratio
from benchmarks.losses_cases import Call, Case, Shapes, agree, leaf, ours, settings
from benchmarks.losses_naive import check_draws, crd_pair, draws, nst_pair, rkd_pair
from benchmarks.losses_peers import ALL, imported

ROOT = Path(__file__).parent.parent
SMALL = Shapes(6, 5, ((4, 8, 8), (8, 4, 4)), 40)
ODD = Shapes(3, 7, ((5, 9, 3), (3, 4, 2)), 21)
DOUBLE = {"dtype": torch.float64}
DEFINITIONS = {
    "NST": lambda shapes: nst_pair(shapes, **DOUBLE),
    "CRD": lambda shapes: crd_pair(shapes, num_negatives=15, **DOUBLE),
    "RKD": lambda shapes: rkd_pair(shapes, width=9, **DOUBLE),
}


def test_every_registered_distiller_has_an_entry() -> None:
    assert ours()[0] == "KD"
    assert set(ours()) <= set(settings()), "give each method a part in configs/_base_/distillers"


@pytest.mark.parametrize("name", ours())
def test_an_entry_runs_forward_and_backward(name: str) -> None:
    case = Case(name, SMALL)
    value, *gradients = case.call()
    assert value.isfinite()
    assert any(g is not None and g.abs().sum() > 0 for g in gradients)
    assert case.parameters == sum(p.numel() for p in case.distiller.parameters())


def test_a_method_without_a_part_is_named() -> None:
    with pytest.raises(ValueError, match="is of type 'FitNot'; did you mean: FitNet"):
        Case("FitNot", SMALL)


@pytest.mark.parametrize("shapes", [SMALL, ODD], ids=["small", "odd"])
@pytest.mark.parametrize("method", DEFINITIONS)
def test_the_definition_written_out_has_our_value_and_gradients(method: str, shapes: Shapes) -> None:
    pair = DEFINITIONS[method](shapes)
    agree(method, pair.ours, pair.other)


@pytest.mark.parametrize("peer", ALL, ids=lambda peer: f"{peer.method}-{peer.package}-{peer.kind}")
def test_a_peer_has_our_value_and_gradients(peer) -> None:
    module = imported(peer.package)
    if isinstance(module, str):
        pytest.skip(f"{peer.package}: {module}")
    agree(peer.method, *peer.make(module, SMALL))


@pytest.mark.parametrize(
    ("value", "gradient", "what"),
    [(1.001, 1.0, "value"), (1.0, 1.001, "gradient 1"), (torch.nan, 1.0, "value")],
)
def test_unequal_losses_are_refused(value: float, gradient: float, what: str) -> None:
    x = leaf(4, seed=0)

    def bent() -> torch.Tensor:
        exact = x.square().sum()
        return value * exact.detach() + gradient * (exact - exact.detach())

    same = Call(lambda: x.square().sum(), [x])
    agree("itself", same, same)
    with pytest.raises(AssertionError, match=f"the {what} differs"):
        agree("bent", Call(bent, [x]), same)


def test_draws_are_of_other_classes() -> None:
    both = draws(SMALL, num_negatives=8)
    for draw in both.values():
        check_draws(SMALL, draw(), 8)
    with pytest.raises(AssertionError, match="shares its clip's class"):
        check_draws(SMALL, torch.arange(6)[:, None].expand(6, 8), 8)


def test_the_peak_is_what_is_held_at_once() -> None:
    numbers = torch.ones(100_000)

    def one_after_the_other() -> torch.Tensor:
        return (numbers + 1).sum() + (numbers + 2).sum()

    def side_by_side() -> torch.Tensor:
        first, second = numbers + 1, numbers + 2
        return first.sum() + second.sum()

    assert peak_bytes(one_after_the_other) == pytest.approx(400_000, rel=0.01)
    assert peak_bytes(side_by_side) == pytest.approx(800_000, rel=0.01)


def test_ratios_are_of_the_same_turn_and_turns_alternate() -> None:
    assert ratio({"a": [2.0, 30.0, 4.0], "b": [1.0, 10.0, 4.0]}, "a", "b") == (2.0, 1.0, 3.0)
    calls: list[str] = []
    interleaved({name: lambda name=name: calls.append(name) for name in "ab"}, rounds=2, inner=1)
    assert "".join(calls) == "baabba"


@pytest.mark.slow
def test_the_command_prints_and_writes_the_figures(tmp_path: Path) -> None:
    file = tmp_path / "costs.json"
    command = [
        sys.executable,
        "-m",
        "benchmarks.losses",
        "--only",
        "LSKD",
        "--repeats",
        "1",
        "--json",
        str(file),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "LSKD" in done.stdout
    found = json.loads(file.read_text(encoding="utf-8"))
    assert {"time", "memory", "parameters"} <= set(found["methods"]["LSKD"])
