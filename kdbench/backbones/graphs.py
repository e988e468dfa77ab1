"""Skeleton graphs: named joint trees with 0-based parents; the root is its own parent."""

import torch
from torch import Tensor

from ..registry import near

# An arm or leg is a chain of four joints; the numbers are the joints that the four chains hang on.
_LIMBS = {first: (first, first + 1, first + 2) for first in (4, 8, 12, 16)}


def _parents(trunk: tuple[int, int, int, int], arms: int, legs: int) -> tuple[int, ...]:
    return (*trunk, *(p for first, chain in _LIMBS.items() for p in (arms if first < 12 else legs, *chain)))


# Kinect v2, one-based, in the order of the joints: trunk and head, arms to the hand, legs.
_KINECT_V2 = (2, 21, 21, 3, 21, 5, 6, 7, 21, 9, 10, 11, 1, 13, 14, 15, 1, 17, 18, 19, 21)


def _kinect_v2(*hands: int) -> tuple[int, ...]:
    """The tree with the parents of the joints 22 to 25 (tip and thumb of both hands, one-based)."""
    return tuple(parent - 1 for parent in (*_KINECT_V2, *hands))


PARENTS: dict[str, tuple[int, ...]] = {
    # head, shoulder centre, spine, hip centre (root), left arm, right arm, left leg, right leg
    "utd_mhad": _parents(trunk=(1, 2, 3, 3), arms=1, legs=3),
    # hip centre, spine, shoulder centre (root), head, left arm, right arm, left leg, right leg
    "kinect_v1": _parents(trunk=(1, 2, 2, 2), arms=2, legs=0),
    # NTU RGB+D: tip and thumb hang on the hand (ST-GCN), or the tip on the thumb (2s-AGCN, CTR-GCN)
    "ntu": _kinect_v2(8, 8, 12, 12),
    "ntu_agcn": _kinect_v2(23, 8, 25, 12),
    # nose (root), eyes, ears, shoulders, elbows, wrists, hips, knees, ankles; left before right
    "coco": (0, 0, 0, 1, 2, 0, 0, 5, 6, 7, 8, 5, 6, 11, 12, 13, 14),
}
# Where published bones are not those of the graph: the tip's is on the thumb, whatever it hangs on.
_BONES = {"ntu": PARENTS["ntu_agcn"]}


def parents_of(graph: str) -> tuple[int, ...]:
    """The parent of each joint of a named skeleton.

    >>> parents_of("utd_mhad")[:6]
    (1, 2, 3, 3, 1, 4)
    """
    if graph not in PARENTS:
        raise ValueError(f"no skeleton graph is called '{graph}'; {near(graph, PARENTS)}")
    return PARENTS[graph]


def bones_of(graph: str) -> tuple[int, ...]:
    """The joint at which the bone of each joint of a named skeleton begins; at the root its own.

    As in 2s-AGCN (Shi et al., CVPR 2019) and PYSKL (``JointToBone``), but for COCO's hips, whose bones begin at the
    shoulders as in the graph; PYSKL's begin at the nose.

    >>> bones_of("ntu")[21:], parents_of("ntu")[21:]
    ((22, 7, 24, 11), (7, 7, 11, 11))
    """
    return _BONES.get(graph, parents_of(graph))


def adjacency(graph: str, joint_degree: bool = False) -> Tensor:
    """Neighbours ``(3, J, J)`` of each joint (row): itself, its parent, its children (Yan et al., AAAI 2018).

    Each kind is averaged by itself (Shi et al., CVPR 2019); with ``joint_degree`` all three share the number of
    neighbours, the joint itself included (Yan et al.).
    """
    parents = parents_of(graph)
    own = torch.eye(len(parents))
    upward = torch.zeros_like(own)
    for child, parent in enumerate(parents):
        upward[child, parent] = float(child != parent)
    kinds = torch.stack((own, upward, upward.T))
    return kinds / kinds.sum((0, 2) if joint_degree else 2, keepdim=True).clamp(min=1)
