"""Training of what does not learn by steps: one pass over the clips, then one fit."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from mmengine.dist import is_distributed
from mmengine.registry import LOOPS
from torch.utils.data import DataLoader, Subset

from .hooks import unwrapped
from .loop import TrainLoop


@LOOPS.register_module()
class FitLoop(TrainLoop):
    """Reads each training clip once, as test clips are prepared, and lets the student ``fit`` itself to all of them.

    The clips are those that the sampler draws in its first epoch; clips whose labels may not be used are left out. The
    student has ``features(*inputs)`` ``(B, D)`` and ``fit(features, targets, groups)``; groups are ``subjects`` of the
    data set. There is one epoch, and nothing to go on from before its end.
    """

    def __init__(self, runner: Any, dataloader: Any, max_epochs: int = 1, **kwargs: Any):
        if is_distributed():
            raise ValueError(
                "a fit in one pass needs all clips in one process; there is: several; launch one"
            )
        if max_epochs != 1:
            raise ValueError(f"max_epochs={max_epochs}; a fit in one pass has 1")
        super().__init__(runner, dataloader, max_epochs=max_epochs, **kwargs)

    def epoch_turns(self) -> Iterator[None]:
        """Collect the features of every clip, then fit."""
        self.runner.call_hook("before_train_epoch")
        clips = self.dataloader.dataset
        drawn = sorted({int(draw.index) for draw in self.dataloader.sampler})
        features, targets = self._read(clips, drawn)
        known = (targets >= 0).all(axis=1)
        groups = None if clips.subjects is None else clips.subjects[drawn][known]
        chosen = unwrapped(self.runner.model).student.fit(features[known], targets[known], groups)
        self.runner.logger.info(f"fitted to {known.sum()} clips: " + _shown(chosen))
        self.runner.call_hook("after_train_epoch")
        self._epoch, self.validation_due = 1, self.runner.val_loop is not None
        yield

    def _read(self, clips: Any, drawn: list[int]) -> tuple[np.ndarray, np.ndarray]:
        """Features ``(N, D)`` and targets ``(N, K)`` of zeros and ones, negative where unknown."""
        model = unwrapped(self.runner.model).eval()
        prepared = Subset(clips.prepared_as(self.runner.test_dataloader.dataset), drawn)
        loader = DataLoader(prepared, self.dataloader.batch_size, collate_fn=self.dataloader.collate_fn)
        features, targets = [], []
        for batch in loader:
            batch = model.data_preprocessor(batch)
            with torch.no_grad():
                found = model.student.features(*(batch["inputs"][name] for name in model.reads))
            features.append(found.float().cpu().numpy())
            targets.append(_indicators(batch["target"].cpu().numpy(), model.data.num_classes))
            self._iter += 1
        return np.concatenate(features), np.concatenate(targets)


def _indicators(targets: np.ndarray, num_classes: int) -> np.ndarray:
    """Classes ``(B,)`` as rows of zeros and a one; what is given in rows stays.

    >>> _indicators(np.array([1, -100]), 3).tolist()
    [[0.0, 1.0, 0.0], [-1.0, -1.0, -1.0]]
    """
    if targets.ndim == 2:
        return targets.astype(np.float32)
    rows = np.eye(num_classes, dtype=np.float32)[np.maximum(targets, 0)]
    rows[targets < 0] = -1
    return rows


def _shown(chosen: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in chosen.items())
