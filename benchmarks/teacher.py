"""A cheaper teacher: its forward plain, by each means, and by all that pass together; alone and in a step of KD.

Each is compared with the plain teacher in single precision before any time is told: share of equal decisions, largest
relative error.
The weights are random, so decisions are close and agreement is lower than a trained one's; the norms have
the statistics of one batch.
"""

import itertools
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import torch

from kdbench.models import Distillation
from kdbench.models.speedup import BF16, CHANNELS_LAST, FOLD, Refused, Speedup, compared, stand_in

from .figures import Figure, Figures, cost
from .interleaved import interleaved

ROUNDS, MEANS = 5, (FOLD, CHANNELS_LAST, BF16)
ENCODERS = {
    "rgb": {"type": "FrameCNN", "in_channels": 3, "width": 64, "grid": (2, 2), "difference": True},
    "audio": {"type": "SpectrogramCNN", "width": 64},
}
VIEWS = {"rgb": (5, 8, 3, 32, 32), "audio": (5, 8, 8, 32)}
PAIRS: dict[str, tuple[int, dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "resnet32x4 to resnet8x4": (
        64,
        {"inputs": {"image": (3, 32, 32)}, "num_classes": 100},
        {"type": "ResNet", "blocks": (5, 5, 5), "widths": (64, 128, 256), "stem": 32},
        {"type": "ResNet", "blocks": (1, 1, 1), "widths": (64, 128, 256), "stem": 32},
    ),
    "skeleton to inertial": (
        32,
        {"inputs": {"skeleton": (48, 20, 3), "inertial": (128, 6)}, "num_classes": 27},
        {"type": "SkeletonCNN"},
        {"type": "InertialCNN"},
    ),
    "five views that hear to one that sees": (
        8,
        {"inputs": VIEWS, "num_classes": 8, "task": "multi-label", "fields": {"target": (8,)}},
        {"type": "MultiView", "encoders": ENCODERS, "width": 64},
        {"type": "MultiView", "encoders": {"rgb": ENCODERS["rgb"]}, "width": 64},
    ),
}


def model(pair: str) -> tuple[Distillation, dict[str, Any]]:
    """Teacher and student of a pair, and a random batch."""
    batch, data, teacher, student = PAIRS[pair]
    torch.manual_seed(0)
    distiller = {"type": "KD"} if "task" not in data else {"type": "RKD"}
    built = Distillation(
        {"name": "random", **data}, student, {**teacher, "weights": "random"}, distiller
    ).train()
    inputs = {name: torch.randn(batch, *shape) for name, shape in built.data.inputs.items()}
    classes = built.data.num_classes
    target = torch.arange(batch) % classes
    if built.data.task == "multi-label":
        target = torch.nn.functional.one_hot(target, classes).float()
    with torch.no_grad():  # statistics that fit the weights
        built.teacher.train()(*(inputs[name] for name in built._roles["teacher"].reads))
        built.teacher.eval()
    return built, {"inputs": inputs, "target": target, "index": torch.arange(batch)}


def figures(quick: bool) -> Figures:
    """The means one by one and together, and the step of KD with what ``auto`` takes."""
    for pair in ["skeleton to inertial"] if quick else PAIRS:
        built, batch = model(pair)
        rounds = 1 if quick else ROUNDS
        yield from forwards(pair, built, batch, rounds)
        yield from step(pair, built, batch, rounds)


def forwards(pair: str, built: Distillation, batch: dict[str, Any], rounds: int) -> Iterator[Figure | str]:
    """The teacher's forward by each means and by several."""
    role, inputs = built._roles["teacher"], batch["inputs"]
    roles, said = {"plain": role}, {}
    with torch.no_grad():
        plain = role.told_in_full(inputs)
        for means in (m for size in (1, 2, 3) for m in itertools.combinations(MEANS, size)):
            name = " + ".join(means)
            try:
                roles[name] = role.standing_for(stand_in(role, means, inputs))
            except Refused as reason:
                yield f"{pair}, {name}: {reason}"
                continue
            said[name] = compared([plain], [roles[name].told_in_full(inputs)], built.data.task)
        calls: dict[str, Callable[[], Any]] = {
            name: (lambda twin=twin: twin.told(inputs)) for name, twin in roles.items()
        }
        seconds = interleaved(calls, rounds)
    for name, (agreement, error) in said.items():
        title = f"{pair}, teacher (agrees {agreement:.3f}, error {error:.2g})"
        yield cost(title, seconds, name, "plain")


def step(pair: str, built: Distillation, batch: dict[str, Any], rounds: int) -> Iterator[Figure | str]:
    """A whole step with the quickest teacher that the gate lets in."""
    optimizer = torch.optim.SGD(built.student.parameters(), lr=1e-6)
    role = built._roles["teacher"]

    def by(network: Any, means: tuple[str, ...]) -> Callable[[], None]:
        def call() -> None:
            role.ask(network, means)
            optimizer.zero_grad()
            sum(built(**batch, mode="loss").values()).backward()
            optimizer.step()

        return call

    built.teacher_speedup = Speedup.of("auto")
    built.speed_up([batch], around=nullcontext, say=lambda line: None)
    quick, means = role.asked, tuple(built.sped_up.means)
    seconds = interleaved({"plain": by(built.teacher, ()), "auto": by(quick, means)}, rounds)
    yield cost(f"{pair}, step by auto ({' + '.join(means) or 'plain'})", seconds, "auto", "plain")
