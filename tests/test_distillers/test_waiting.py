"""No method makes a training step wait for its device."""

import pytest
import torch

from kdbench.spec import IGNORED

from ..waiting import NoWaiting
from .test_contract import Setting, each


@each
@pytest.mark.parametrize("hidden", [0, 2])
def test_losses_and_gradients_wait_for_nothing(name: str, task: str, hidden: int) -> None:
    setting = Setting(name, task)
    if "target" in setting.batch:
        setting.batch.target[:hidden] = IGNORED
    with NoWaiting():
        setting.total().backward()


@pytest.mark.parametrize(
    "read",
    [
        lambda x: x.sum().item(),
        lambda x: float(x.sum()),
        lambda x: bool((x > 0).all()),
        lambda x: x[x > 0],
        lambda x: x.nonzero(),
        lambda x: x.unique(),
        lambda x: x.masked_fill_(x > 0, 0)[(x > 0).any(1)],
    ],
)
def test_what_waits_is_found(read) -> None:
    with NoWaiting(), pytest.raises(AssertionError, match="waits for the device"):
        read(torch.randn(3, 4))
