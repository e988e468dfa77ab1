"""Seeds of one row trained in one pass (``seeds=K``), against K runs one after the other; the bound beside it.

A step is teacher forward, student forward and backward, losses and optimiser, of K models on a batch each, without
readers and hooks, which both have alike. The bound is one model's step on all batches joined: the same arithmetic in
as few kernels as there can be. Candidates take turns; quote the ratio: median [quartiles] over turns. Losses of the
first steps are compared before any time is printed. Also printed are the operators of a step that compute something: a
GPU that waits for launches takes about as long as they are many.

Where there is a GPU it is measured there, and only there the target is asked for.
"""

import contextlib
import time
from collections.abc import Callable
from typing import Any

import torch
from torch.nn.modules.dropout import _DropoutNd
from torch.utils._python_dispatch import TorchDispatchMode

from kdbench.engine import PrecisionOptimWrapper
from kdbench.engine.stack import step
from kdbench.engine.stack_optim import StackedOptimizer
from kdbench.models import Distillation
from kdbench.models.stack import StackedModels

from .cache import SKELETON
from .figures import Figures, gain
from .interleaved import interleaved

UTD = {"inputs": {"skeleton": (48, 20, 3), "inertial": (128, 6)}, "num_classes": 27}
CIFAR = {"inputs": {"image": (3, 32, 32)}, "num_classes": 100}
RESNETS = tuple({"type": "ResNet", "blocks": (n, n, n), "widths": (64, 128, 256), "stem": 32} for n in (5, 1))
# Data, teacher, student, clips of a batch.
CASES: dict[str, tuple[dict, dict, dict, int]] = {
    "resnet32x4 to resnet8x4": (CIFAR, *RESNETS, 64),
    "skeleton to inertial": (UTD, SKELETON, {"type": "InertialCNN"}, 32),
    "inertial to skeleton": (UTD, {"type": "InertialCNN"}, SKELETON, 32),
}
SMALL = ["skeleton to inertial", "inertial to skeleton"]  # what a CPU does in a minute
TARGET, SEEDS, ROUNDS = 4.0, 8, 5
CHECKED, CLOSE = 3, 1e-4  # steps whose losses are compared, and how near they are, relative
VIEWS = (
    "view",
    "squeeze",
    "permute",
    "transpose",
    "select",
    "slice",
    "detach",
    "expand",
    "as_strided",
    "split",
    "unbind",
)


class Operators(TorchDispatchMode):
    """Counts operators of torch that are no views."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += not any(name in str(func) for name in VIEWS)
        return func(*args, **(kwargs or {}))


class Bench:
    """The models of one case, and a batch for each; dropout is off, since seeds in one pass draw otherwise."""

    def __init__(self, case: str, seeds: int, device: str, cached: bool):
        data, teacher, student, size = CASES[case]
        self.data = {"name": "random", **data}
        self.device, self.seeds = torch.device(device), seeds
        self.networks = {"teacher": {**teacher, "weights": "random"}, "student": student}
        rng = torch.Generator().manual_seed(0)
        self.batches = [self._batch(size, cached, rng) for _ in range(seeds)]

    def _batch(self, size: int, cached: bool, rng: torch.Generator) -> dict[str, Any]:
        inputs = {
            name: torch.randn(size, *shape, generator=rng) for name, shape in self.data["inputs"].items()
        }
        target = torch.randint(self.data["num_classes"], (size,), generator=rng)
        logits = torch.randn(size, self.data["num_classes"], generator=rng)
        batch = {"inputs": inputs, "target": target, **({"lesson": {"logits": logits}} if cached else {})}
        return _moved(batch, self.device)

    def model(self, seed: int) -> Distillation:
        """The model of one seed; the teacher is the same for all."""
        torch.manual_seed(seed)
        made = Distillation(self.data, distiller={"type": "KD"}, **self.networks)
        torch.manual_seed(-1)
        for parameter in made.teacher.parameters():
            torch.nn.init.normal_(parameter, std=0.05)
        for module in made.modules():
            if isinstance(module, _DropoutNd):
                module.p = 0.0
        return made.to(self.device).train()

    def alone(self) -> Callable[[], list[float]]:
        """A step of each model, one after the other."""
        models = [self.model(seed) for seed in range(self.seeds)]
        wrappers = [wrapper(model) for model in models]

        def steps() -> list[float]:
            runs = zip(models, wrappers, self.batches, strict=True)
            return self._done([model.train_step(batch, optim)["loss"] for model, optim, batch in runs])

        return steps

    def together(self) -> Callable[[], list[float]]:
        """The same in one pass."""
        models = [self.model(seed) for seed in range(self.seeds)]
        wrappers = [wrapper(model) for model in models]
        stacked = StackedModels(models)
        stacked.rehearse(self.batches)
        optimizer = StackedOptimizer(wrappers, stacked.parameters)

        def steps() -> list[float]:
            logged = step(stacked, optimizer, self.batches, lambda _: contextlib.nullcontext())
            return self._done([one["loss"] for one in logged])

        return steps

    def bound(self) -> Callable[[], list[float]]:
        """A step of one model on all batches joined."""
        model = self.model(0)
        optim, joined = wrapper(model), _joined(self.batches)
        return lambda: self._done([model.train_step(joined, optim)["loss"]])

    @staticmethod
    def _done(losses: list[torch.Tensor]) -> list[float]:
        """Losses as numbers, so that the device has done its work."""
        found: list[float] = torch.stack([loss.detach() for loss in losses]).tolist()
        return found


def wrapper(model: torch.nn.Module) -> PrecisionOptimWrapper:
    """SGD as in the tables of the literature."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    return PrecisionOptimWrapper(
        device_type=parameters[0].device.type,
        optimizer=torch.optim.SGD(parameters, lr=0.01, momentum=0.9, weight_decay=5e-4),
    )


def _moved(tree: Any, device: torch.device) -> Any:
    return {k: _moved(v, device) for k, v in tree.items()} if isinstance(tree, dict) else tree.to(device)


def _joined(batches: list[Any]) -> Any:
    if isinstance(batches[0], dict):
        return {name: _joined([one[name] for one in batches]) for name in batches[0]}
    return torch.cat(batches)


def compared(bench: Bench) -> dict[str, Callable[[], list[float]]]:
    """The candidates; losses that are not equal are an error."""
    candidates = {"one by one": bench.alone(), "in one pass": bench.together(), "bound": bench.bound()}
    for number in range(CHECKED):
        alone, together = candidates["one by one"](), candidates["in one pass"]()
        apart = max(abs(a - b) / abs(a) for a, b in zip(alone, together, strict=True))
        if not apart <= CLOSE:
            raise AssertionError(f"losses of step {number} are {apart:.1e} apart: {alone}, {together}")
    return candidates


def counted(call: Callable[[], Any]) -> int:
    """The operators of a call."""
    with Operators() as operators:
        call()
    return operators.count


def figures(quick: bool) -> Figures:
    """Seeds in one pass beside one by one, and the operators of a step of each."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    clock = time.process_time if device == "cpu" else time.perf_counter
    seeds, rounds = (2, 1) if quick else (SEEDS, ROUNDS)
    for case in CASES if device == "cuda" else SMALL[: 1 if quick else None]:
        candidates = compared(Bench(case, seeds, device, cached=False))
        seconds = interleaved(candidates, rounds=rounds, clock=clock)
        title, target = f"{case}, {seeds} seeds on a {device}", TARGET if device == "cuda" else None
        yield gain(title, seconds, "in one pass", "one by one", target)
        yield gain(f"{title}, at best", seconds, "bound", "one by one")
        operators = (f"{name} {counted(call)}" for name, call in candidates.items())
        yield f"{title}, operators of a step that compute: {', '.join(operators)}"
    if device == "cpu":
        yield f"without a GPU the pairs of the target are left out: {', '.join(set(CASES) - set(SMALL))}"
