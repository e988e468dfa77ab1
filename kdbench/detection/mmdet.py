"""RTMDet (Lyu et al., arXiv 2212.07784) and every other detector of mmdet that finds people."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ..compat import load_mmdet, mmengine_checkpoint
from ..registry import near
from ..spec import InvalidDataError
from .base import Found, PersonDetector, check_threshold, file_digest, relative_boxes

CONFIG = "rtmdet/rtmdet_tiny_8xb32-300e_coco"


class MMDetDetector(PersonDetector):
    """Person boxes, and exact masks where the network gives them (``rtmdet-ins``), from mmdet 3.

    ``config`` is a file, or the name of one that mmdet ships. ``checkpoint`` is a file of its weights; ``"none"``
    leaves them random, to rehearse. ``device`` is the first GPU unless given.
    """

    name = "mmdet"

    def __init__(
        self,
        checkpoint: str | Path,
        config: str | Path = CONFIG,
        threshold: float = 0.3,
        device: str | None = None,
    ):
        import torch

        apis, path, self.threshold = load_mmdet(), config_file(config), check_threshold(threshold)
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        with warnings.catch_warnings(record=True):  # that no checkpoint is given: it is read below, safely
            overrides = {
                "model.backbone.init_cfg": None,  # no pretrained backbone from the network
                "model.test_cfg.score_thr": threshold,  # the configs keep thousands of boxes, for curves
            }
            self._model = apis.init_detector(str(path), None, "random", device, overrides)
        classes, digest = self._model.dataset_meta["classes"], ""
        if str(checkpoint) != "none":
            digest = file_digest(Path(checkpoint), "name a checkpoint of mmdet, or 'none' for random weights")
            classes = self._load(Path(checkpoint), path) or classes
        if "person" not in classes:
            raise ValueError(f"{checkpoint} finds no class 'person'; {near('person', classes)}")
        self._apis, self._person = apis, list(classes).index("person")
        self.settings = {"config": path.stem, "model": Path(checkpoint).name, "sha256": digest}

    def _load(self, checkpoint: Path, config: Path) -> tuple[str, ...]:
        """Read the weights; returns the classes that they were trained for, if the file tells."""
        weights = mmengine_checkpoint(checkpoint)
        try:
            missing = self._model.load_state_dict(weights["state_dict"], strict=False).missing_keys
        except RuntimeError as error:  # a shape differs
            missing = [str(error).splitlines()[-1].strip()]
        if missing:
            raise InvalidDataError(
                f"{checkpoint} does not fit {config.name} ({missing[0]}); name its own config (--config)"
            )
        data = weights.get("meta", {}).get("dataset_meta") or {}
        return tuple(data.get("classes") or data.get("CLASSES") or ())

    def __call__(self, frames: np.ndarray) -> list[Found]:
        """One frame after the other, as mmdet does it."""
        pictures = [np.ascontiguousarray(frame[..., ::-1]) for frame in frames]
        with warnings.catch_warnings(record=True):  # its autocast is deprecated
            results = self._apis.inference_detector(self._model, pictures)
        return [self._found(result.pred_instances, *frames.shape[1:3]) for result in results]

    def _found(self, people: Any, height: int, width: int) -> Found:
        people = people[(people.labels == self._person) & (people.scores >= self.threshold)].cpu().numpy()
        boxes = relative_boxes(people.bboxes, people.scores, height, width)
        exact = people.masks.any(axis=0) if "masks" in people else None
        return Found(boxes, exact)


def config_file(config: str | Path) -> Path:
    """A config's file, found by its path or by its name among those that mmdet ships."""
    load_mmdet()
    import mmdet

    shipped = Path(mmdet.__file__).parent / ".mim" / "configs"
    for path in (Path(config), shipped / f"{config}.py"):
        if path.is_file():
            return path
    known = [path.relative_to(shipped).with_suffix("").as_posix() for path in shipped.glob("rtmdet/*.py")]
    raise ValueError(f"config '{config}' is no file and not shipped with mmdet; {near(str(config), known)}")
