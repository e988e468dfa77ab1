"""Temperatures divide: every method that takes one refuses 0 and below when it is built."""

import inspect

import pytest

import kdbench.distillers
from kdbench.distillers.base import Distiller

GIVEN = {
    "student_shapes": [(4, 8), (4, 8)],
    "teacher_shapes": [(4, 8), (4, 8)],
    "student_dim": 4,
    "teacher_dim": 4,
    "teacher_dims": [4, 4],
    "num_classes": 3,
    "num_samples": 8,
    "num_negatives": 4,
}
KINDS = [
    kind
    for kind in vars(kdbench.distillers).values()
    if isinstance(kind, type) and issubclass(kind, Distiller)
]
PARAMETERS = {kind: inspect.signature(kind).parameters for kind in KINDS}
TAKEN = [(kind, name) for kind in KINDS for name in PARAMETERS[kind] if name.endswith(("tau", "taus"))]


@pytest.mark.parametrize("tau", [0.0, -4.0])
@pytest.mark.parametrize(("kind", "name"), TAKEN)
def test_a_temperature_is_above_zero(kind: type[Distiller], name: str, tau: float) -> None:
    given = {key: value for key, value in GIVEN.items() if key in PARAMETERS[kind]}
    kind(**given)
    several = name.endswith("s")
    with pytest.raises(
        ValueError, match=rf"^{name.removesuffix('s')}={tau} was asked for; a temperature is above 0$"
    ):
        kind(**given, **{name: (4.0, tau) if several else tau})


def test_there_are_such_methods() -> None:
    assert len(TAKEN) >= 16
