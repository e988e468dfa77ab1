"""A network of another package, read as one of ours: a clip in, features out."""

import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ...registry import near
from ...weights import RANDOM, load_renamed, read_weights
from ..posec3d import JointHeatMaps
from .axes import to_map
from .building import build_foreign, grid_of_tokens
from .families import MAPS, RETURNED, VECTORS, Family, Source, family_of, matching
from .layouts import Fitted, kind_of, laid_out, single


class Features(NamedTuple):
    """``maps`` ``(B, C, ...)`` with the axes of ``T H W`` that they have; ``vector`` ``(B, width)``."""

    maps: list[Tensor]
    vector: Tensor


class Foreign(nn.Module):
    """A network by the name of its package, without its classifier.

    Args:
        name: the package's scope and its own name: ``"mmaction.MViT"``, ``"timm.resnet18"``, ``"torchvision.r3d_18"``,
            ``"transformers.VideoMAE"``.
        width: of the features that it gives; another one is a ``ValueError`` which says what it is.
        options: of its constructor.
        reads, gives: the axes that it reads and gives (``axes.py``), of a network that is not in ``families.py``.
        stages: places in it whose outputs are its stages, from shallow to deep; ``None`` takes the family's.
        stage_axes: what these give, where the family does not say it.
        grid: how its tokens lie, ``(T, H, W)``, so that stages of tokens are maps; ``None`` takes their mean.
        weights: a file of its weights; ``None`` and ``"random"`` are no file.
        fit: what ``Fitted`` takes: frames, size, channels and statistics that it wants.
        heat_maps: of a network for videos that reads skeletons as heat maps: what ``JointHeatMaps`` takes.
    """

    def __init__(
        self,
        name: str,
        width: int,
        options: Mapping[str, Any] | None = None,
        reads: str | None = None,
        gives: str | None = None,
        stages: Sequence[str] | None = None,
        stage_axes: str | None = None,
        grid: Sequence[int] | None = None,
        weights: str | None = None,
        fit: Mapping[str, Any] | None = None,
        heat_maps: Mapping[str, Any] | None = None,
    ):
        super().__init__()
        self.name, self.width, self.weights = name, width, weights
        self.family: Family = family_of(name, reads, gives)
        self.kind = "skeleton" if heat_maps else kind_of(self.family.reads)
        self.heat_maps = JointHeatMaps(**heat_maps) if heat_maps else None
        self.fit = Fitted(**(fit or {}))
        self.net = build_foreign(name, options or {})
        self.grid = None if grid is None else tuple(grid)
        places = [place for place, _ in self.net.named_modules() if place]
        if stages is None:
            stages = matching(self.family.stages, places)
        wrong = [place for place in stages if place not in places]
        if wrong:
            raise ValueError(f"'{name}' has no module for the stage '{wrong[0]}'; {near(wrong[0], places)}")
        self.stage_places = tuple(stages)
        self.stage_axes = stage_axes or self.family.stage_axes
        self.stages = nn.ModuleList(nn.Identity() for _ in self.stage_places)  # places to tap maps at

    @property
    def taps(self) -> dict[str, list[str]]:
        """The stages as maps ``(B, C, ...)``, if there are any."""
        return {"stages": [f"stages.{i}" for i in range(len(self.stages))]} if self.stages else {}

    def forward(self, clip: Tensor, maps: bool = True) -> Features:
        """The features of ``(B, T, C, H, W)``, ``(B, T, S, M)`` or ``(B, [M,] T, J, C)``, by kind of network.

        ``maps=False`` leaves out what only an encoder over time reads.
        """
        clip = single(clip, self.kind, views=True)
        if self.kind == "video":
            clip = self.fit(clip)
        batch, seen = len(clip), self._run(clip)
        for stage, place in zip(self.stages, self.stage_places, strict=True):
            tokens, grid = grid_of_tokens(seen[place])
            stage(to_map(tokens, self._axes_of(tokens, self.stage_axes), batch, grid or self.grid))
        family = self.family
        found = [self._features(seen, source, batch) for source in family.maps] if maps else []
        sources = family.vectors or family.maps
        vectors = found if maps and not family.vectors else [self._features(seen, s, batch) for s in sources]
        vector = torch.cat([x.flatten(2).mean(2) if x.ndim > 2 else x for x in vectors], 1)
        return Features(found, vector)

    def checked(self, features: Tensor, axis: int) -> Tensor:
        """The features, if they are as wide along an axis as it was said."""
        if features.shape[axis] != self.width:
            raise ValueError(
                f"'{self.name}' gives {features.shape[axis]} features, not width={self.width}; "
                f"give it width={features.shape[axis]}"
            )
        return features

    def _run(self, clip: Tensor) -> dict[str, Any]:
        """What the network returns, and the outputs of the places that are read, by place."""
        seen: dict[str, Any] = {}
        given = laid_out(clip, self.family.reads) if self.heat_maps is None else self.heat_maps(clip)
        read = {place for place, *_ in (*self.family.maps, *self.family.vectors)} - {RETURNED, MAPS, VECTORS}
        with ExitStack() as hooks:
            for place in {*self.stage_places, *read}:
                module = self.net.get_submodule(place)
                hooks.callback(module.register_forward_hook(_keeping(place, seen)).remove)
            if self.name.startswith("timm."):
                seen[MAPS] = self.net.forward_features(given)  # type: ignore[operator]
                seen[VECTORS] = self.net.forward_head(seen[MAPS], pre_logits=True)  # type: ignore[operator]
            else:
                seen[RETURNED] = self.net(given)
        return seen

    def _features(self, seen: Mapping[str, Any], source: Source, batch: int) -> Tensor:
        place, path, axes = source
        value = seen[place]
        for step in path:
            value = getattr(value, step) if isinstance(step, str) else value[step]
        # Where tokens have a place only the map is a map; a vector stays their mean.
        return to_map(value, self._axes_of(value, axes), batch, self.grid if axes != "BC" else None)

    def _axes_of(self, value: Tensor, axes: str) -> str:
        """The axes that are known, or those that timm gives, by their number."""
        if axes:
            return axes
        pictures = getattr(self.net, "output_fmt", "NCHW")
        return {2: "NC", 3: "NLC"}.get(value.ndim, str(getattr(pictures, "value", pictures)))

    def load_own_weights(self) -> None:
        """Read the file of its weights, if there is one; classifiers in it are left out."""
        if self.weights in (None, RANDOM):
            return
        own = tuple(self.net.state_dict())
        heads = [head for head in self.family.heads if not any(key.startswith(head) for key in own)]
        names = [(f"^{re.escape(prefix)}", "") for prefix in self.family.prefixes]
        load_renamed(self.net, self.weights, names, left_out=heads)

    def head_in(self, prefix: str) -> dict[str, Tensor]:
        """The weight and bias of a linear classifier ``prefix`` (``"cls_head.fc_cls"``) in the file of weights."""
        state = read_weights(str(self.weights))
        found = {key: state[f"{prefix}.{key}"] for key in ("weight", "bias") if f"{prefix}.{key}" in state}
        if len(found) < 2:
            raise ValueError(
                f"{self.weights} has no classifier '{prefix}'; {near(f'{prefix}.weight', state)}"
            )
        return found


def _keeping(place: str, seen: dict[str, Any]) -> Any:
    def keep(module: nn.Module, inputs: Any, output: Any) -> None:
        seen[place] = output

    return keep
