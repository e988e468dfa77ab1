"""Labelled subsets: which training clips show their label."""

import math
from collections.abc import Iterable, Mapping

import numpy as np

from ..registry import check_known, near
from ..spec import IGNORED

UNLABELLED = ("keep", "drop")  # what becomes of clips whose label may not be used


def balanced_fraction(labels: np.ndarray, fraction: float, seed: int = 0) -> np.ndarray:
    """Mask, ``(N,)`` bool, of a seeded class-balanced subset: ``ceil(fraction * N)`` clips, each class at least one.

    Each class is shuffled and the classes are then interleaved in proportion to their sizes, so a smaller fraction
    with the same seed is a subset of a larger one.

    >>> int(balanced_fraction(np.array([0, 0, 1, 1]), 0.5).sum())
    2
    """
    if not 0 < fraction <= 1:
        raise ValueError(f"a labelled fraction of {fraction} was asked for; it lies in (0, 1]")
    rng = np.random.Generator(np.random.Philox(seed))
    place = np.empty(len(labels))  # where in its class a clip stands: 0 first, towards 1 last
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        place[rng.permutation(members)] = np.arange(len(members)) / len(members)
    order = np.lexsort((rng.random(len(labels)), place))
    # 0.07 * 100 is a little more than 7
    count = max(math.ceil(fraction * len(labels) - 1e-9), len(np.unique(labels)))
    return np.isin(np.arange(len(labels)), order[:count])


def of_subjects(subjects: np.ndarray, chosen: Iterable[int]) -> np.ndarray:
    """Mask, ``(N,)`` bool, of the clips of the chosen subjects, each of which must be there."""
    chosen, known = sorted(set(chosen)), np.unique(subjects).tolist()
    unknown = [subject for subject in chosen if subject not in known]
    if unknown or not chosen:
        raise ValueError(f"labels of subjects {unknown or chosen} were asked for; training has: {known}")
    return np.isin(subjects, chosen)


def labelled_mask(rule: Mapping | None, labels: np.ndarray, subjects: np.ndarray) -> np.ndarray:
    """Mask, ``(N,)`` bool, of the clips whose label may be used.

    ``rule`` is None (all), ``dict(fraction=0.25, seed=0)`` or ``dict(subjects=(1, 3))``.
    """
    if rule is None:
        return np.ones(len(labels), dtype=bool)
    if set(rule) == {"subjects"}:
        return of_subjects(subjects, rule["subjects"])
    if "fraction" in rule and set(rule) <= {"fraction", "seed"}:
        return balanced_fraction(labels, **rule)
    unknown = next((key for key in rule if key not in ("fraction", "seed", "subjects")), None)
    hint = f"; {near(unknown, ('fraction', 'seed', 'subjects'))}" if unknown else ""
    raise ValueError(f"labelled={dict(rule)}; it is None, dict(fraction=, seed=) or dict(subjects=){hint}")


def hide_labels(labels: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    """Targets, ``(N,)`` int64: the label where ``labelled``, the ignore index elsewhere."""
    return np.where(labelled, labels, IGNORED).astype(np.int64)


def with_labels(
    rule: Mapping | None, unlabelled: str, rows: np.ndarray, labels: np.ndarray, subjects: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The rows of a split that stay, and their targets; both ``(N,)`` int64.

    ``rows`` are places in ``labels`` and ``subjects``, of which ``rule`` shows the label as in ``labelled_mask``. The
    others have the target -100 (``unlabelled="keep"``) or are left out (``"drop"``).

    >>> with_labels({"subjects": (7,)}, "drop", np.array([0, 2]), np.array([4, 5, 6]), np.array([7, 7, 8]))
    (array([0]), array([4]))
    """
    check_known("unlabelled", [unlabelled], UNLABELLED)
    mask = labelled_mask(rule, labels[rows], subjects[rows])
    if unlabelled == "drop":
        rows, mask = rows[mask], mask[mask]
    return rows, hide_labels(labels[rows], mask)
