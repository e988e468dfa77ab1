"""Exact mean average precision against mmaction2's and scikit-learn's: equal to 1e-9 with ties, then time."""

import numpy as np
import torch

from kdbench.compat import load_scope
from kdbench.evaluation import mean_average_precision
from kdbench.spec import MissingPackageError

from .figures import Figures, gain
from .interleaved import interleaved

CLIPS, CLASSES = 100_000, 60
TARGETS = {"mmaction2": 1.5, "scikit-learn": 1.8}
LEVELS = 10_000  # scores have four digits, so that each class has thousands of ties


def figures(quick: bool) -> Figures:
    """All of them on the same scores, each from what it takes."""
    clips = CLIPS // 50 if quick else CLIPS
    rng = np.random.default_rng(0)
    score = (rng.integers(LEVELS, size=(clips, CLASSES)) / LEVELS).astype(np.float32)
    target = (rng.random(score.shape) < 0.1).astype(np.int64)
    ours = torch.from_numpy(score), torch.from_numpy(target)
    from sklearn.metrics import average_precision_score

    candidates = {
        "ours": lambda: mean_average_precision(*ours).item(),
        "scikit-learn": lambda: average_precision_score(target, score, average="macro"),
    }
    try:
        load_scope("mmaction")
        from mmaction.evaluation import mean_average_precision as theirs

        candidates["mmaction2"] = lambda: theirs(list(score), list(target))
    except MissingPackageError as error:
        yield f"{error}; benchmarks/peers.txt installs it"
    found = {name: call() for name, call in candidates.items()}
    if not np.allclose(list(found.values()), found["scikit-learn"], rtol=0, atol=1e-9):
        raise AssertionError(f"mean average precisions differ: {found}")
    seconds = interleaved(candidates, rounds=1 if quick else 5)
    for name in candidates:
        if name != "ours":
            yield gain(f"mAP of {clips:,} clips, {CLASSES} classes", seconds, "ours", name, TARGETS[name])
