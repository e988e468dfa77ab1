"""NST, CRD and RKD's angles against their definitions written out, which hold every pair at once.

The definitions share no code with kdbench's; value and gradients are compared before anything is timed.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from kdbench.distillers import crd_loss, nst_loss, rkd_angle_loss
from kdbench.distillers.negatives import SampleClasses

from .losses_cases import CIFAR, Call, Shapes, leaf

TAU, EPSILON = 0.07, 1e-7
CRD_WIDTH, CRD_NEGATIVES = 128, 16384
RKD_WIDTHS = (256, 2048, 8192)


class Pair(NamedTuple):
    """One loss computed in two ways, and how many times as fast ours should be."""

    what: str
    ours: Call
    other: Call
    target: float | None = None


def broadcast_nst(student: list[Tensor], teacher: list[Tensor]) -> Tensor:
    """The squared MMD from all pairs of channels: ``B x C x C' x positions`` products."""

    def kernel(first: Tensor, second: Tensor) -> Tensor:
        return (first[:, :, None] * second[:, None]).sum(3).square().mean()

    total = torch.zeros((), dtype=student[0].dtype)
    for maps in zip(student, teacher, strict=True):
        s, t = (F.normalize(stage.flatten(2), dim=2) for stage in maps)
        total = total + kernel(t, t) + kernel(s, s) - 2 * kernel(s, t)
    return total


def gathered_crd(
    embeddings: tuple[Tensor, Tensor], banks: tuple[Tensor, Tensor], positive: Tensor, negatives: Tensor
) -> Tensor:
    """The first step's loss with the rows of the other side's bank gathered: ``B x (1 + K) x D`` numbers a side."""
    chosen, num_samples = torch.cat([positive[:, None], negatives], 1), len(banks[0])
    noise, total = negatives.shape[1] / num_samples, 0
    for embedding, bank in zip(embeddings, banks[::-1], strict=True):
        rows = bank[chosen.flatten()].reshape(*chosen.shape, -1)
        odds = (torch.bmm(rows, embedding[:, :, None])[:, :, 0] / TAU).exp()
        odds = odds / (odds.detach().mean() * num_samples)
        hits = (odds[:, 0] / (odds[:, 0] + noise + EPSILON)).log()
        rejections = (noise / (odds[:, 1:] + noise + EPSILON)).log()
        total = total - (hits.sum() + rejections.sum()) / len(embedding)
    return total


def differences_rkd_angle(student: Tensor, teacher: Tensor) -> Tensor:
    """The angles from all differences of clips: ``B x B x D`` numbers."""

    def cosines(embedding: Tensor) -> Tensor:
        directions = F.normalize(embedding[None] - embedding[:, None], dim=2)
        return torch.bmm(directions, directions.transpose(1, 2))

    return F.smooth_l1_loss(cosines(student), cosines(teacher))


def nst_pair(shapes: Shapes = CIFAR, dtype: torch.dtype = torch.float32) -> Pair:
    student, teacher = (
        [leaf(shapes.batch, *stage, seed=seed + i, dtype=dtype) for i, stage in enumerate(shapes.stages)]
        for seed in (0, 50)
    )
    student = [stage.detach().relu().requires_grad_() for stage in student]
    teacher = [stage.detach().relu() for stage in teacher]
    ours = Call(lambda: nst_loss(student, teacher), student)
    other = Call(lambda: broadcast_nst(student, teacher), student)
    return Pair("NST: batched product / broadcast", ours, other, target=20)


def crd_pair(
    shapes: Shapes = CIFAR, num_negatives: int = CRD_NEGATIVES, dtype: torch.dtype = torch.float32
) -> Pair:
    """Scores, loss and gradients of both embeddings; both ways get the same negatives."""
    embeddings = tuple(unit_rows(shapes.batch, CRD_WIDTH, seed, dtype).requires_grad_() for seed in (0, 1))
    banks = tuple(unit_rows(shapes.samples, CRD_WIDTH, seed, dtype) for seed in (2, 3))
    index = torch.arange(shapes.batch)
    negatives = negatives_of(shapes, index, num_negatives)
    ours = Call(lambda: crd_loss(*embeddings, *banks, index, negatives, TAU), embeddings)
    other = Call(lambda: gathered_crd(embeddings, banks, index, negatives), embeddings)
    return Pair("CRD: product with the bank, gather / gather B x (K+1) x D", ours, other, target=10)


def unit_rows(rows: int, width: int, seed: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Random directions ``(rows, width)``."""
    return F.normalize(leaf(rows, width, seed=seed, dtype=dtype).detach(), dim=1)


def negatives_of(shapes: Shapes, index: Tensor, count: int) -> Tensor:
    """The same draw of ``count`` samples of other classes for each clip every time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return _classes(shapes).negatives(index, count)


def rkd_pair(shapes: Shapes = CIFAR, width: int = 256, dtype: torch.dtype = torch.float32) -> Pair:
    student = leaf(shapes.batch, width, seed=0, dtype=dtype)
    teacher = leaf(shapes.batch, width, seed=1, dtype=dtype).detach()
    ours = Call(lambda: rkd_angle_loss(student, teacher), [student])
    other = Call(lambda: differences_rkd_angle(student, teacher), [student])
    return Pair(f"RKD angles, D = {width}: inner products / B x B x D differences", ours, other)


def pairs(method: str | None = None) -> list[Callable[[], Pair]]:
    """What there is for a method, or for all; each is made when its turn comes, because they are large."""
    angles = [lambda width=width: rkd_pair(width=width) for width in RKD_WIDTHS]
    made = {"NST": [nst_pair], "CRD": [crd_pair], "RKD": angles}
    return [make for name, makes in made.items() if method in (None, name) for make in makes]


def draws(shapes: Shapes = CIFAR, num_negatives: int = CRD_NEGATIVES) -> dict[str, Callable[[], Tensor]]:
    """Drawing one batch's negatives: ours on the device, and a permutation of all others for each clip.

    The second is how a data set that brings its negatives draws without repeats.
    """
    classes, index = _classes(shapes), torch.arange(shapes.batch)
    labels = torch.arange(shapes.samples) % shapes.classes
    others = [(labels != label).nonzero()[:, 0] for label in range(shapes.classes)]

    def permuted() -> Tensor:
        rows = [others[label] for label in labels[index].tolist()]
        return torch.stack([row[torch.randperm(len(row))[:num_negatives]] for row in rows])

    return {"ours": lambda: classes.negatives(index, num_negatives), "permutations": permuted}


def check_draws(shapes: Shapes, found: Tensor, num_negatives: int) -> None:
    """Refuse negatives that share the clip's class, or that come from another device."""
    clips = torch.arange(shapes.batch)[:, None]
    if found.shape != (shapes.batch, num_negatives) or ((found - clips) % shapes.classes == 0).any():
        raise AssertionError("a negative shares its clip's class")


def _classes(shapes: Shapes) -> SampleClasses:
    classes = SampleClasses(shapes.samples)
    classes.set_targets(torch.arange(shapes.samples) % shapes.classes)
    return classes
