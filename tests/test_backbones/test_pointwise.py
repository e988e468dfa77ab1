"""Strided 1x1 convolutions: torch's own results, and no damaged memory."""

import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from kdbench.backbones.blocks import TemporalConv
from kdbench.backbones.pointwise import PointwiseConv

MANY_STEPS = """
import torch
from kdbench.backbones.pointwise import PointwiseConv
conv = PointwiseConv(4, 4, 2, bias=False).to(memory_format=torch.channels_last)
x = torch.randn(3, 4, 32, 32).contiguous(memory_format=torch.channels_last).requires_grad_()
for _ in range(50):
    conv(x).square().sum().backward()
"""


@given(
    channels=st.integers(1, 12),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    bias=st.booleans(),
)
def test_values_and_gradients_are_those_of_the_plain_convolution(channels, stride, size, bias) -> None:
    torch.manual_seed(0)
    ours, plain = (
        PointwiseConv(channels, 5, stride, bias=bias),
        nn.Conv2d(channels, 5, 1, stride, bias=bias),
    )
    plain.load_state_dict(ours.state_dict())
    x = torch.randn(2, channels, *size)
    found, wanted = ours(x), plain(x)
    torch.testing.assert_close(found, wanted)
    found.square().sum().backward()
    wanted.square().sum().backward()
    torch.testing.assert_close(ours.weight.grad, plain.weight.grad)


@pytest.mark.parametrize("channels", [4, 12])
def test_a_temporal_convolution_with_a_stride(channels: int) -> None:
    ours, plain = TemporalConv(channels, 6, 1, 2), nn.Conv1d(channels, 6, 1, 2, bias=False)
    plain.load_state_dict(ours.state_dict())
    x = torch.randn(2, channels, 7)
    torch.testing.assert_close(ours(x), plain(x))


def test_memory_stays_whole() -> None:
    done = subprocess.run([sys.executable, "-c", MANY_STEPS], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
