"""What goes into a record comes out of it."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kdbench.cache import Layout
from kdbench.cache.layout import flat
from kdbench.spec import IncompatibleError

TAPS = ("embedding", "logits", "stages")
OUTPUTS = {
    "logits": torch.randn(4, 7),
    "embedding": torch.randn(4, 5),
    "stages": [torch.randn(4, 2, 3), torch.randn(4, 6)],
}
FLAT = flat(OUTPUTS, TAPS)
SHAPES = {name: value.shape[1:] for name, value in FLAT.items()}
logits = arrays(np.float32, (3, 9), elements=st.floats(-30, 30, width=32))


@pytest.mark.parametrize(("dtype", "kind"), [("float32", torch.float32), ("float16", torch.float16)])
def test_a_record_gives_back_what_it_was_given(dtype, kind):
    layout = Layout(SHAPES, dtype)
    found = layout.decode(layout.encode(FLAT), TAPS)
    assert set(found) == set(TAPS)
    assert torch.equal(found.logits, OUTPUTS["logits"].to(kind))
    assert [stage.shape for stage in found.stages] == [(4, 2, 3), (4, 6)]
    assert all(torch.equal(a, b.to(kind)) for a, b in zip(found.stages, OUTPUTS["stages"], strict=True))
    assert layout.record.itemsize == sum(value[0].size for value in FLAT.values()) * np.dtype(dtype).itemsize


def test_only_the_taps_that_are_read_are_decoded():
    layout = Layout(SHAPES)
    assert set(layout.decode(layout.encode(FLAT), ["logits"])) == {"logits"}


@given(logits, st.integers(1, 8))
def test_the_top_and_the_mass_of_the_rest_are_the_teachers(values, top_k):
    layout = Layout({"logits": (9,)}, "float32", top_k)
    found = layout.decode(layout.encode({"logits": values}), ["logits"]).logits.double()
    true = torch.from_numpy(values).double()
    top = np.argsort(-values, axis=1, kind="stable")[:, :top_k]
    assert np.array_equal(np.take_along_axis(found.numpy(), top, 1), np.take_along_axis(values, top, 1))
    assert torch.allclose(found.logsumexp(1), true.logsumexp(1), atol=1e-4)
    kept = torch.zeros_like(true).scatter(1, torch.from_numpy(top), 1.0)
    mass = [(x.softmax(1) * (1 - kept)).sum(1) for x in (found, true)]
    assert torch.allclose(*mass, atol=1e-5)


def test_a_record_of_the_top_is_smaller():
    assert Layout({"logits": (100,)}, "float16", 5).record.itemsize == 5 * (2 + 2) + 2


def test_what_half_precision_does_not_hold_is_refused():
    layout = Layout({"logits": (2,)}, "float16")
    with pytest.raises(IncompatibleError, match=r"'logits' reaches 1e\+05, which float16 .* --dtype float32"):
        layout.encode({"logits": np.array([[1.0, 1e5]], "f4")})
    with pytest.raises(IncompatibleError, match="'logits' holds values that are not finite"):
        layout.encode({"logits": np.array([[1.0, np.nan]], "f4")})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (({"logits": (5,)}, "int8"), "records of int8 were asked for; there is: float16, float32"),
        (({"logits": (5,)}, "float16", 5), r"top_k=5 of 5 classes; it lies in \[1, 4\]"),
        (({"embedding": (5,)}, "float16", 2), r"top_k=2 keeps a part of logits \(K,\); there is: None"),
    ],
)
def test_bad_forms_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Layout(*arguments)
