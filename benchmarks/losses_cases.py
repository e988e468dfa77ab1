"""Every registered distiller at fixed shapes, ready to be run forward and backward.

A method's settings are those of its first part in ``configs/_base_/distillers``; what it reads is drawn at random.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import kdbench.distillers  # noqa: F401  (fills the registry)
from kdbench.compose.parts import Part, parts
from kdbench.compose.row import LOSS_WEIGHTS
from kdbench.registry import DISTILLERS, build, near
from kdbench.spec import DataSpec, Fields

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
READ_FRAMES = {"VPD"}  # sequences (C, T) in place of images (C, H, W)
PEERS = 2
TEACHERS = 3  # of one teacher that is made of several
VIEWS, FRAMES = 2, 8  # of a clip of several cameras
TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-9}


@dataclass(frozen=True)
class Shapes:
    """The sizes of one batch: stages are ``(C, H, W)`` of both networks, the last one pooled is the embedding."""

    batch: int
    classes: int
    stages: tuple[tuple[int, int, int], ...]
    samples: int

    def __str__(self) -> str:
        stages = ", ".join("x".join(map(str, stage)) for stage in self.stages)
        width = self.stages[-1][0]
        return (
            f"batch {self.batch}, {self.classes} classes, stages {stages}, embedding {width}, "
            f"{self.samples} training samples"
        )


# resnet32x4 and resnet8x4 on CIFAR-100.
CIFAR = Shapes(64, 100, ((64, 32, 32), (128, 16, 16), (256, 8, 8)), 50_000)


@dataclass
class Call:
    """A loss, and the tensors that it gives gradients to; calling it runs forward and backward."""

    loss: Callable[[], Tensor]
    leaves: Sequence[Tensor]

    def __call__(self) -> tuple[Tensor, ...]:
        """The value and the gradients; ``None`` for what the loss does not read."""
        value = self.loss()
        return value.detach(), *torch.autograd.grad(value, list(self.leaves), allow_unused=True)


def agree(what: str, ours: Call, theirs: Call) -> None:
    """Refuse to go on unless value and gradients are equal, to 1e-4 of their length (1e-9 in double precision)."""
    for place, (one, other) in enumerate(zip(ours(), theirs(), strict=True)):
        length, gap = float(other.norm()), float((one - other).norm())
        if not gap <= TOLERANCE[other.dtype] * length:
            name = f"gradient {place}" if place else "value"
            raise AssertionError(f"{what}: the {name} differs by {gap:.3g} of {length:.3g}")


def leaf(*shape: int, seed: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Normal random numbers that want a gradient, the same for the same seed in either precision."""
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=rng).to(dtype).requires_grad_()


def ours() -> list[str]:
    """The names of all distillers that kdbench registers, KD first."""
    names = [name for name, kind in DISTILLERS.module_dict.items() if kind.__module__.startswith("kdbench.")]
    return sorted(names, key=lambda name: (name != "KD", name.lower()))


def settings() -> dict[str, dict[str, Any]]:
    """Class name -> the first part of that class, without the loss weights that are the model's.

    Parts of methods come before those with the weights for one data set.
    """
    found: dict[str, dict[str, Any]] = {}
    for part in sorted(parts(CONFIGS, "distillers").values(), key=_is_for_one_data_set):
        own = {key: value for key, value in part.config.items() if key not in LOSS_WEIGHTS}
        found.setdefault(own["type"].__name__, own)
    return found


def _is_for_one_data_set(part: Part) -> bool:
    return (CONFIGS / "_base_" / "datasets" / part.path.name).is_file()


class Case:
    """A distiller built as a row builds it, with random outputs of a teacher and a student to read."""

    def __init__(self, name: str, shapes: Shapes = CIFAR):
        torch.manual_seed(0)
        self.shapes, kind, config = shapes, DISTILLERS.get(name), _settings_of(name)
        needs = kind.needs_for(config)
        full_student, full_teacher = (_outputs(shapes, seed, name in READ_FRAMES) for seed in (1, 2))
        data = DataSpec(
            "random",
            inputs={},
            num_classes=shapes.classes,
            num_train=shapes.samples,
            fields={"visible": (VIEWS, FRAMES)},
        )
        config = kind.complete(config, full_student, full_teacher, data)
        self.distiller = build(DISTILLERS, config).train()
        self.heads = {role: _head(role, shapes) for role in needs.heads}
        self.distiller.borrow(**self.heads)
        if hasattr(self.distiller, "set_targets"):
            self.distiller.set_targets(torch.arange(shapes.samples) % shapes.classes)
        self.student = _read(name, "student", needs.student, full_student)
        self.teacher = _read(name, "teacher", needs.teacher, full_teacher)
        whole = {
            "target": torch.arange(shapes.batch) % shapes.classes,
            "index": torch.arange(shapes.batch),
            "visible": torch.ones(shapes.batch, VIEWS, FRAMES, dtype=torch.bool),
        }
        self.batch = _read(name, "batch", needs.batch, Fields(whole))

    @property
    def parameters(self) -> int:
        """How many numbers the method trains beside the student's own."""
        return sum(p.numel() for p in self.distiller.parameters() if p.requires_grad)

    @property
    def call(self) -> Call:
        """The sum of its losses, for the student's outputs, the method's own parameters and a borrowed student head."""
        heads = self.heads["student"].parameters() if "student" in self.heads else ()
        own = (p for p in self.distiller.parameters() if p.requires_grad)
        outputs = [x for value in self.student.values() for x in _tensors(value)]
        return Call(self._total, [*outputs, *own, *heads])

    def _total(self) -> Tensor:
        return sum(self.distiller(self.student, self.teacher, self.batch).values())


def _settings_of(name: str) -> dict[str, Any]:
    known = settings()
    if name not in known:
        raise ValueError(
            f"no part in {CONFIGS / '_base_' / 'distillers'} is of type '{name}'; {near(name, known)}"
        )
    return {**known[name], "type": name}


def _outputs(shapes: Shapes, seed: int, frames: bool) -> Fields:
    """All taps; the stages are not negative, as after a ReLU."""
    grids = [stage[: 2 if frames else 3] for stage in shapes.stages]
    stages = [leaf(shapes.batch, *grid, seed=seed + 10 * i) for i, grid in enumerate(grids)]
    stages = [stage.detach().relu().requires_grad_() for stage in stages]
    return Fields(
        logits=leaf(shapes.batch, shapes.classes, seed=seed),
        logits_strong=leaf(shapes.batch, shapes.classes, seed=seed + 100),
        peers=leaf(shapes.batch, PEERS, shapes.classes, seed=seed + 200),
        stages=stages,
        preacts=[leaf(shapes.batch, *grid, seed=seed + 300 + i) for i, grid in enumerate(grids)],
        embedding=stages[-1].detach().flatten(2).mean(2).requires_grad_(),
        view_frame_logits=leaf(shapes.batch, VIEWS, FRAMES, shapes.classes, seed=seed + 600),
        features=leaf(shapes.batch, VIEWS, FRAMES, shapes.stages[-1][0], seed=seed + 700),
        member_logits=[leaf(shapes.batch, shapes.classes, seed=seed + 400 + i) for i in range(TEACHERS)],
        member_embeddings=[
            leaf(shapes.batch, shapes.stages[-1][0], seed=seed + 500 + i) for i in range(TEACHERS)
        ],
    )


def _head(role: str, shapes: Shapes) -> nn.Linear | list[nn.Linear]:
    """The last linear layer of a role, or those of its members."""
    layers = [nn.Linear(shapes.stages[-1][0], shapes.classes) for _ in range(TEACHERS)]
    return layers if role.endswith("_members") else layers[0]


def _read(name: str, owner: str, wanted: Sequence[str], there: Fields) -> Fields:
    unknown = [field for field in wanted if field not in there]
    if unknown:
        raise ValueError(f"{name} reads '{unknown[0]}' of the {owner}; {near(unknown[0], there)}")
    return Fields({field: there[field] for field in wanted})


def _tensors(value: Any) -> list[Tensor]:
    return list(value) if isinstance(value, list | tuple) else [value]
