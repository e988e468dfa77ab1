"""What it costs to begin: imports, ``--help`` and the first training step, in CPU seconds of processes of their own.

The bound is ``import torch``; peers are imported only, with what beside a CPU torch has to be said before it.
"""

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from .figures import Figures, cost
from .interleaved import interleaved

ROOT = Path(__file__).resolve().parent.parent
HELP_SECONDS = 1.0
STEP = """
import torch
from mmengine.optim import OptimWrapper
from kdbench.models import Distillation
data = dict(name="random", inputs=dict(image=(3, 32, 32)), num_classes=10)
net = dict(type="ResNet", blocks=(1, 1, 1))
model = Distillation(data, net, teacher=dict(net, weights="random"), distiller=dict(type="KD")).train()
batch = dict(inputs=dict(image=torch.randn(2, 3, 32, 32)), target=torch.tensor([0, 1]), index=torch.tensor([0, 1]))
model.train_step(batch, OptimWrapper(torch.optim.SGD(model.student.parameters(), lr=0.1)))
"""
TORCH, OURS = "import torch", "from kdbench.distillers import KD"
OPERATORS = """
import torch
operators = torch.library.Library("torchvision", "FRAGMENT")
for name in ("nms", "qnms"):
    operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
import """
PEERS = {
    "torchdistill": "torchdistill.core.distillation",
    "timm": "timm.task",
    "modelopt": "modelopt.torch.distill",
}
TOOLS = ("train", "test", "list")


def figures(quick: bool) -> Figures:
    """Ours beside torch alone, then beside the peers."""
    there = {name: module for name, module in PEERS.items() if find_spec(name)}
    code = {TORCH: TORCH, OURS: OURS, "first step": STEP}
    code |= {f"import {name}": OPERATORS + module for name, module in there.items()}
    commands = {name: ["-c", text] for name, text in code.items()}
    commands |= {f"tools/{tool}.py --help": [f"tools/{tool}.py", "--help"] for tool in TOOLS}
    run: dict[str, Callable[[], None]] = {n: lambda c=c: start(c) for n, c in commands.items()}
    seconds = interleaved(run, rounds=1 if quick else 2, clock=of_children)
    yield cost("import", seconds, OURS, TORCH, 1.1)
    for name in there:
        yield cost("import", seconds, OURS, f"import {name}", 1.0)
    yield cost("imports and first step", seconds, "first step", TORCH)
    for name in there:
        yield cost("imports and first step, beside a peer's import", seconds, "first step", f"import {name}")
    seconds["allowed"] = [HELP_SECONDS] * len(seconds[TORCH])
    for tool in TOOLS:
        yield cost("a command answers", seconds, f"tools/{tool}.py --help", "allowed", 1.0)
    for name in sorted(set(PEERS) - set(there)):
        yield f"{name}: not installed; benchmarks/peers.txt installs it"


def start(command: list[str]) -> None:
    """A process of its own, in this checkout."""
    paths = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, *command], cwd=ROOT, env=paths, capture_output=True, check=True)


def of_children() -> float:
    """CPU seconds of all processes that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
