"""Small rotations in space, as matrices that multiply column vectors."""

import numpy as np


def rotation(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> np.ndarray:
    """The matrix, ``(3, 3)``, that turns by ``y``, then by ``x``, then by ``z`` radians about those fixed axes.

    >>> (rotation(z=np.pi / 2) @ (1, 0, 0)).round(6)
    array([0., 1., 0.])
    """
    (cx, cy, cz), (sx, sy, sz) = np.cos((x, y, z)), np.sin((x, y, z))
    return np.array(
        [
            [cz * cy - sz * sx * sy, -sz * cx, cz * sy + sz * sx * cy],
            [sz * cy + cz * sx * sy, cz * cx, sz * sy - cz * sx * cy],
            [-cx * sy, sx, cx * cy],
        ]
    )


def between(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The matrix, ``(3, 3)``, of the shortest turn that makes ``source`` ``(3,)`` point as ``target`` does.

    A vector of length zero turns nothing; of opposite vectors, the turn is about any axis across (Rodrigues).

    >>> (between(np.array([0.0, 2.0, 0.0]), np.array([0.0, 0.0, 1.0])) @ (0, 1, 0)).round(6)
    array([0., 0., 1.])
    """
    lengths = np.linalg.norm(source), np.linalg.norm(target)
    if min(lengths) < 1e-12:
        return np.eye(3)
    a, b = source / lengths[0], target / lengths[1]
    axis, cosine = np.cross(a, b), float(a @ b)
    if np.linalg.norm(axis) < 1e-9:
        if cosine > 0:
            return np.eye(3)
        across = np.cross(a, np.eye(3)[np.abs(a).argmin()])
        across /= np.linalg.norm(across)
        return 2 * np.outer(across, across) - np.eye(3)
    x, y, z = axis
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + skew + skew @ skew / (1 + cosine)
