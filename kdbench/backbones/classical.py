"""A linear machine on hand-made features: what a table's networks are to be better than."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ..registry import BACKBONES, near
from .hand_features import (
    depth_features,
    image_features,
    inertial_features,
    skeleton_features,
    views_features,
)

STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, 10000.0)  # of the ridge penalty
FOLDS = 3  # where nobody says whose clips they are


class Features(NamedTuple):
    """A function of a batch, the modality that it takes, and the smallest clip that it can take."""

    function: Callable[[Tensor], Tensor]
    modality: str
    shape: tuple[int, ...]


FEATURES: Mapping[str, Features] = {
    "skeleton": Features(skeleton_features, "skeleton", (8, 20, 3)),
    "inertial": Features(inertial_features, "inertial", (32, 6)),
    "depth": Features(depth_features, "depth", (8, 2, 16, 16)),
    "views": Features(views_features, "depth", (1, 8, 1, 16, 16)),
    "image": Features(image_features, "image", (3, 16, 16)),
}


@BACKBONES.register_module()
class Classical(nn.Module):
    """``weight @ ((features(x) - mean) / scale) + bias``, fitted by ``fit`` in one go.

    ``features`` is one of ``FEATURES``; ``signed_root=True`` takes the signed square root of each, which tames what is
    large now and then. Logits ``(B, K)`` are about -1 for "is not" and 1 for "is": they rank, and are no probabilities.
    """

    taps = {"embedding": "fc:in"}

    def __init__(
        self,
        features: str,
        num_classes: int,
        signed_root: bool = False,
        strengths: Sequence[float] = STRENGTHS,
    ):
        super().__init__()
        if features not in FEATURES:
            raise ValueError(f"no features are called '{features}'; {near(features, FEATURES)}")
        self.name, self.of = features, FEATURES[features]
        self.signed_root, self.strengths = signed_root, tuple(strengths)
        self.reads = (self.of.modality,)
        width = self.features(torch.zeros(1, *self.of.shape)).shape[1]
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        self.fc = nn.Linear(width, num_classes)

    def features(self, x: Tensor) -> Tensor:
        """The features of a batch, ``(B, D)``, before they are standardised."""
        found = self.of.function(x)
        return found.sign() * found.abs().sqrt() if self.signed_root else found

    def forward(self, x: Tensor) -> Tensor:
        return self.fc((self.features(x) - self.mean) / self.scale)

    def fit(
        self, features: np.ndarray, targets: np.ndarray, groups: np.ndarray | None = None
    ) -> dict[str, Any]:
        """Fit to features ``(N, D)`` and targets ``(N, K)`` of zeros and ones; says what was chosen, and its score.

        The penalty is chosen by cross-validation among these samples alone, one of ``groups`` ``(N,)`` (whose clips
        they are) left out in turn; without groups a third of the samples is, drawn by a fixed seed.
        """
        search = _search(self.strengths, groups, targets)
        search.fit(features, 2 * targets - 1)
        scaler, ridge = search.best_estimator_.named_steps.values()
        with torch.no_grad():
            self.mean.copy_(torch.as_tensor(scaler.mean_))
            self.scale.copy_(torch.as_tensor(scaler.scale_))
            self.fc.weight.copy_(torch.as_tensor(ridge.coef_))
            self.fc.bias.copy_(torch.as_tensor(ridge.intercept_))
        return {"strength": search.best_params_["ridge__alpha"], "score": 100 * float(search.best_score_)}


def _search(strengths: Sequence[float], groups: np.ndarray | None, targets: np.ndarray) -> Any:
    """A search for the penalty whose folds are whole groups, if there are several."""
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import GridSearchCV, KFold, LeaveOneGroupOut
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    machine = Pipeline([("scale", StandardScaler()), ("ridge", Ridge())])
    by_group = groups is not None and len(np.unique(groups)) > 1
    # clips of one class often lie together: folds that are not shuffled would leave out whole classes
    splitter = LeaveOneGroupOut() if by_group else KFold(FOLDS, shuffle=True, random_state=0)
    folds = list(splitter.split(targets, groups=groups if by_group else None))
    return GridSearchCV(machine, {"ridge__alpha": list(strengths)}, scoring=_score, cv=folds)


def _score(machine: Any, features: np.ndarray, targets: np.ndarray) -> float:
    """Top-1 where each sample has one label, else the precision of each sample's ranking of the labels."""
    from sklearn.metrics import label_ranking_average_precision_score

    scores, is_target = machine.predict(features), targets > 0
    if (is_target.sum(axis=1) == 1).all():
        return float((scores.argmax(axis=1) == is_target.argmax(axis=1)).mean())
    return float(label_ranking_average_precision_score(is_target, scores))
