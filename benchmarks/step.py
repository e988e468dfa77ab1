"""A distillation step against its bound and against other packages, with a live teacher, a cached one and none.

The bound is the teacher's forward and the student's forward, backward and optimiser step without a distillation loss,
one after the other in one turn: in turns of their own either would find its weights in the processor's cache. All
candidates train the same networks from the same weights, on the same batches, by SGD, with CE + tau^2 KL; their losses
agree over several steps before any time is taken. A cached step reads half-precision records from a file. At best
caching is (T + 3S) / 3S times as fast, T and S being the operations of a forward.
"""

import copy
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kdbench.cache import Book, Layout, Lessons, fill
from kdbench.cache.store import new_manifest
from kdbench.compose.parts import parts
from kdbench.datasets import EpochSampler
from kdbench.engine import PrecisionOptimWrapper
from kdbench.evaluation.cost import gflops
from kdbench.models import Distillation

from .allocations import peak_bytes
from .figures import Figure, Figures, cost, exact, gain
from .interleaved import interleaved
from .losses_cases import CONFIGS
from .step_peers import Networks, Step, peers, without_warnings

LIVE, CACHED, SHARE, MEMORY = 1.02, 1.05, 0.8, 1.05  # targets; SHARE is of what caching can give at best
MULTI_VIEW_GAIN = 8.0
TAU, RATE, BATCHES, CHECKED = 4.0, 1e-2, 2, 3  # CHECKED: steps whose losses are compared
AGREE = {"float32": 1e-4, "float16": 2e-3}  # of a loss
SIZES = {"resnet20 -> resnet8": (16, 40), "resnet32x4 -> resnet8x4": (64, 5)}  # batch, rounds
PICTURES = {"name": "random", "inputs": {"image": (3, 32, 32)}, "num_classes": 100, "num_train": 50_000}
# MultiSensor-Home's five views with their sound, as MultiASL's authors read them; four frames of its seventy.
VIEWS, FRAMES, CLIPS = 5, 4, 2
HOME = {
    "name": "random",
    "inputs": {"rgb": (VIEWS, FRAMES, 3, 224, 224), "audio": (VIEWS, FRAMES, 1024, 128)},
    "num_classes": 16,
    "task": "multi-label",
    "fields": {"target": (16,)},
}


def figures(quick: bool) -> Figures:
    """Two pairs of the CIFAR-100 tables with peers, and several views with sound."""
    with without_warnings():
        for title, (batch, rounds) in SIZES.items():
            if not quick or title == "resnet20 -> resnet8":
                yield from pictures(title, batch, 1 if quick else rounds)
        if not quick:
            yield from several_views(rounds=4)


class Pair:
    """One teacher and one student of ours: live, cached and alone, on the same batches."""

    def __init__(self, data: dict[str, Any], teacher: dict, student: dict, size: int, folder: Path):
        torch.manual_seed(0)
        kd = {"teacher": {**teacher, "weights": "random"}, "distiller": {"type": "KD", "tau": TAU}}
        self.live = Distillation(data, student, **kd).train()
        self.cached = Distillation(data, student, **kd, cached=True).train()
        self.alone = Distillation(data, student).train()
        for model in (self.cached, self.alone):
            model.student.load_state_dict(self.live.student.state_dict())
        self.roles = {name: role.reads for name, role in self.live._roles.items()}
        self.batches = [self._batch(data, size, number) for number in range(BATCHES)]
        self.lessons = self._written(data["num_classes"], size, folder)

    def _batch(self, data: dict[str, Any], size: int, number: int) -> dict[str, Any]:
        rng = torch.Generator().manual_seed(number)
        inputs = {name: torch.randn(size, *data["inputs"][name], generator=rng) for name in self.live.reads}
        target = torch.arange(size) % data["num_classes"]
        if data.get("task") == "multi-label":
            target = F.one_hot(target, data["num_classes"]).float()
        return {"inputs": inputs, "target": target, "index": torch.arange(size) + number * size}

    def _written(self, classes: int, size: int, folder: Path) -> Lessons:
        book = Book(EpochSampler(range(BATCHES * size), seed=0, shuffle=False), 1, size, varies=False)
        layout = Layout({"logits": (classes,)})
        told = torch.cat([self.teach(batch) for batch in self.batches]).numpy()

        def teach(draws: list[Any]) -> dict[str, np.ndarray]:
            return {"logits": told[[draw.index for draw in draws]]}

        fill(folder, new_manifest({"random": 0}, layout, len(book), size), book, teach)
        return Lessons(folder, book, ("logits",))

    def inputs(self, role: str, batch: dict[str, Any]) -> list[Tensor]:
        """What a network of ours is called with."""
        return [batch["inputs"][name] for name in self.roles[role]]

    def teach(self, batch: dict[str, Any]) -> Tensor:
        """The teacher's logits."""
        with torch.no_grad():
            out = self.live.teacher(*self.inputs("teacher", batch))
        return out["logits"] if isinstance(out, dict) else out

    def step(self, how: str) -> Callable[[], Tensor]:
        """A training step as the runner takes it; the cached one reads its records first."""
        model: Distillation = getattr(self, how)
        wrapper = PrecisionOptimWrapper(optimizer=torch.optim.SGD(model.student.parameters(), lr=RATE))

        def run(batch: dict[str, Any]) -> Tensor:
            batch = {**batch, "inputs": {name: batch["inputs"][name] for name in model.reads}}
            if how == "cached":
                batch["lesson"] = self.lessons(0, batch["index"].numpy())
            return model.train_step(batch, wrapper)["loss"].detach()

        return self.turning(run)

    def turning(self, run: Callable[[dict[str, Any]], Any]) -> Callable[[], Any]:
        """A step that takes one batch after the other."""
        turn = iter(range(1 << 40))
        return lambda: run(self.batches[next(turn) % BATCHES])

    def own(self) -> Networks:
        """The same two networks for another loop."""
        student = copy.deepcopy(self.alone.student)
        return Networks(copy.deepcopy(self.live.teacher), student, TAU, RATE)

    @property
    def at_best(self) -> float:
        """(T + 3S) / 3S, from the operations of both forwards."""
        batch = self.batches[0]
        t, s = (
            gflops(getattr(self.live, role), *self.inputs(role, batch)) for role in ("teacher", "student")
        )
        return (t + 3 * s) / (3 * s)


def bare(networks: Networks, teach: bool) -> Step:
    """The loop that one writes by hand; without ``teach`` the student's share of it."""
    teacher, student, optimizer = networks.teacher, networks.student.train(), networks.sgd()

    def step(pictures: Tensor, target: Tensor) -> Tensor:
        with torch.no_grad():
            told = (teacher(pictures) / TAU).log_softmax(1) if teach else None
        logits = student(pictures)
        loss = F.cross_entropy(logits, target)
        if told is not None:
            own = (logits / TAU).log_softmax(1)
            loss = loss + TAU**2 * F.kl_div(own, told, log_target=True, reduction="batchmean")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def same_losses(steps: dict[str, Callable[[], Tensor]], reference: str, count: int) -> None:
    """Refuse to go on unless the losses of several steps agree; the steps are taken."""
    losses = {name: [float(step()) for _ in range(count)] for name, step in steps.items()}
    for name, found in losses.items():
        allowed = AGREE["float16" if name == "cached" else "float32"]
        if not np.allclose(found, losses[reference], rtol=allowed, atol=0):
            raise AssertionError(f"{name} has the losses {found}, {reference} {losses[reference]}")


def pictures(title: str, size: int, rounds: int) -> Iterator[Figure | str]:
    """A pair of the CIFAR-100 tables."""
    models = parts(CONFIGS, "models")
    teacher, student = (dict(models[name].config) for name in title.split(" -> "))
    with tempfile.TemporaryDirectory() as folder:
        pair = Pair(PICTURES, teacher, student, size, Path(folder) / "cache")
        others, missing = peers(pair.own)
        by_hand = {"bare loop": bare(pair.own(), True), **others}
        hands = {
            name: pair.turning(lambda b, s=step: s(b["inputs"]["image"], b["target"]))
            for name, step in by_hand.items()
        }
        kd = {"live": pair.step("live"), **hands, "cached": pair.step("cached")}
        same_losses(kd, "bare loop", CHECKED)
        own, other = bare(pair.own(), False), bare(pair.own(), False)
        run = {
            **kd,
            "bound": pair.turning(lambda b: (pair.teach(b), other(b["inputs"]["image"], b["target"]))),
            "student alone": pair.turning(lambda b: own(b["inputs"]["image"], b["target"])),
        }
        seconds = interleaved(run, rounds)
        yield cost(f"{title}, step", seconds, "live", "bound", LIVE)
        yield cost(f"{title}, bare loop", seconds, "bare loop", "bound")
        for name in others:
            yield cost(f"{title}, step", seconds, "live", name, 1.0)
        for name, reason in missing.items():
            yield f"{name}: {reason}; benchmarks/peers.txt installs it"
        yield from with_cache(title, pair, seconds, SHARE * pair.at_best)


def with_cache(title: str, pair: Pair, seconds: dict[str, list[float]], least: float) -> Iterator[Figure]:
    """The cached step beside the student alone and beside the live one."""
    best = f", at best {pair.at_best:.3g}"
    yield cost(f"{title}, step with cache", seconds, "cached", "student alone", CACHED)
    yield gain(f"{title}, what the cache saves", seconds, "cached", "live", least, best)
    held = {how: peak_bytes(pair.step(how)) for how in ("alone", "cached", "live")}
    mib = {how: f"{value / 2**20:.1f} MiB" for how, value in held.items()}
    what = f"student alone {mib['alone']} (live {mib['live']})"
    over = held["cached"] / held["alone"]
    yield exact(f"{title}, peak allocation with cache", f"cached {mib['cached']}", what, over, MEMORY)


def several_views(rounds: int) -> Iterator[Figure]:
    """MultiASL of published size, ResNet-34 and sound over five views, teaches the sound's branch alone."""
    models = parts(CONFIGS, "models")
    teacher, student = (_random(models[name].config) for name in ("asl_r34_av", "asl_mlp_a"))
    title = "MultiASL of 5 views with sound -> of sound"
    with tempfile.TemporaryDirectory() as folder:
        pair = Pair(HOME, teacher, student, CLIPS, Path(folder) / "cache")
        run = {how: pair.step(how) for how in ("live", "cached", "alone")}
        torch.manual_seed(1)  # of dropout
        first = run["live"]()
        torch.manual_seed(1)
        same_losses({"live": lambda: first, "cached": run["cached"]}, "live", 1)
        alone = run["student alone"] = run.pop("alone")
        taught = pair.turning(pair.teach)
        seconds = interleaved({**run, "bound": lambda: (taught(), alone())}, rounds)
        yield cost(f"{title}, step", seconds, "live", "bound", LIVE)
        yield from with_cache(title, pair, seconds, MULTI_VIEW_GAIN)


def _random(config: Any) -> dict[str, Any]:
    """A part without the files that its encoders start from."""
    found = copy.deepcopy(dict(config))
    for encoder in found["encoders"].values():
        encoder.pop("weights", None)
    return found
