"""Values, gradients and intermediate numbers of a golden file (``--golden FILE``)."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from kdbench import distillers

from .golden_table import TABLE, Case

TRANSFORMS = {
    None: lambda x: x,
    "sigmoid": torch.sigmoid,
    "softmax": lambda x: x.softmax(-1),
    "neg_abs": lambda x: -x.abs(),
    "sigmoid_round1": lambda x: x.sigmoid().round(decimals=1),
    "l2": lambda x: x / x.square().sum(-1, keepdim=True).sqrt(),
}
# Numbers that say what another implementation gave; nothing to compute here.
INFORMATIVE = {"reference_value_with_unstable_vectorised_sort"}
RELATIVE = {"float64": 1e-6, "float32": 1e-4, "float32 margins": 1e-6}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "entry" not in metafunc.fixturenames:
        return
    path = metafunc.config.getoption("--golden")
    entries = json.loads(path.read_text(encoding="utf-8"))["entries"]
    skip = pytest.mark.skip(reason="not implemented yet")
    metafunc.parametrize(
        "entry",
        [
            pytest.param(e, id=f"{e['name']}-{e['case']}", marks=() if e["name"] in TABLE else skip)
            for e in entries
        ],
    )


def raw(spec: dict[str, Any], dtype: torch.dtype) -> Tensor:
    if "values" in spec:
        return torch.tensor(spec["values"], dtype=dtype)
    k = np.arange(np.prod(spec["shape"]), dtype=np.float64)
    wave = spec["s"] * np.sin(spec["a"] * k + spec["phi"]) + spec["s"] / 2 * np.cos(0.52 * k + spec["phi"])
    return torch.tensor(wave.reshape(spec["shape"]), dtype=dtype)


def close(found: Tensor, expected: Any, relative: float, scale: float | None = None) -> None:
    """Compare numbers, lists of numbers and ``null`` (not a number)."""
    expected = np.array(expected, dtype=np.float64)
    found = np.array(found.tolist(), dtype=np.float64)
    assert found.shape == expected.shape
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    bound = relative * (np.abs(expected) if scale is None else scale) + 1e-9
    wrong = ~np.isnan(expected) & ~(np.abs(found - expected) <= bound)
    assert not wrong.any(), f"{found} is not {expected}"


def test_entry(entry: dict[str, Any]) -> None:
    dtype = entry.get("dtype", "float64")
    relative, kind = RELATIVE[dtype], torch.float32 if dtype == "float32" else torch.float64
    leaves = {name: raw(spec, kind) for name, spec in entry["inputs"].items()}
    students = {n: leaf.requires_grad_() for n, leaf in leaves.items() if n in entry.get("grads", {})}
    inputs = {n: TRANSFORMS[entry["inputs"][n].get("transform")](leaf) for n, leaf in leaves.items()}
    target = torch.tensor(entry["target"]) if entry.get("target") is not None else None
    result = TABLE[entry["name"]](Case(inputs, target, entry["hyper"], entry.get("unit")))
    value, extra = result if isinstance(result, tuple) else (result, {})
    close(value.detach(), entry["value"], relative)

    for name, expected in (entry.get("extra") or {}).items():
        if name not in INFORMATIVE:
            close(extra[name].detach(), expected, relative)

    if students:
        value.backward()
    for name, expected in entry.get("grads", {}).items():
        gradient = students[name].grad
        close(gradient.norm(), expected["norm"], relative)
        close(gradient.flatten()[: len(expected["first"])], expected["first"], relative, expected["norm"])
    if students and "student_grad_norm" in entry:
        first = next(n for n in leaves if n.startswith("student"))
        close(students[first].grad.norm(), entry["student_grad_norm"], relative)


def larger(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A function whose result is a ten-thousandth too large."""
    return lambda *arguments, **options: 1.0001 * function(*arguments, **options)


# What ViCoKD is made of, and the entries that hold it.
PARTS = {"hint_loss": "fitnets", "bernoulli_kd_loss": "bernoulli_kd", "view_consistency": "view_consistency"}


@pytest.mark.parametrize("function", PARTS)
def test_a_term_of_vicokd_that_is_a_ten_thousandth_too_large_is_noticed(
    function: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = json.loads((Path(__file__).parent / "golden" / "losses.json").read_text())["entries"]
    own = [e for e in entries if e["name"] == PARTS[function] and e["value"] > 1e-3]
    test_entry(own[0])
    monkeypatch.setattr(distillers, function, larger(getattr(distillers, function)))
    with pytest.raises(AssertionError, match=" is not "):
        test_entry(own[0])
