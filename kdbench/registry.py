"""Registries: where a name in a config finds its class."""

import difflib
from collections.abc import Iterable
from typing import Any

from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import Registry

# mmengine allows one child a scope for each of its registries; backbones, distillers and losses are ours alone.
MODELS = Registry("model", parent=MMENGINE_MODELS, scope="kdbench", locations=["kdbench.models"])
DATASETS = Registry("dataset", parent=MMENGINE_DATASETS, scope="kdbench", locations=["kdbench.datasets"])
METRICS = Registry("metric", parent=MMENGINE_METRICS, scope="kdbench", locations=["kdbench.evaluation"])
HOOKS = Registry("hook", parent=MMENGINE_HOOKS, scope="kdbench", locations=["kdbench.engine"])
BACKBONES = Registry("backbone", scope="kdbench", locations=["kdbench.backbones"])
DISTILLERS = Registry("distiller", scope="kdbench", locations=["kdbench.distillers"])
LOSSES = Registry("task loss", scope="kdbench", locations=["kdbench.losses"])
TRANSFORMS = Registry("clip transform", scope="kdbench", locations=["kdbench.datasets"])
FOREIGN = (
    "mmaction",
    "timm",
    "torchvision",
    "transformers",
)  # packages of other networks: compat's ``SCOPES``


def near(name: str, known: Iterable[str]) -> str:
    """The end of an error message: close matches of ``name``, or all that there is."""
    known = sorted(known)
    matches = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if matches:
        return f"did you mean: {', '.join(matches)}?"
    return f"there is: {', '.join(known) or 'nothing'}"


def check_known(what: str, asked: Iterable[str], known: Iterable[str]) -> None:
    """A ``ValueError`` for the first of ``asked`` that is not ``known``."""
    known = tuple(known)
    for name in asked:
        if name not in known:
            raise ValueError(f"{what} '{name}' is unknown; {near(str(name), known)}")


def find(registry: Registry, kind: str | type) -> Any:
    """The class that a config's ``type`` stands for; an unknown name is a ``ValueError`` with near matches."""
    if not isinstance(kind, str):
        return kind
    scope, _, own = kind.partition(".")
    if registry is BACKBONES and scope in FOREIGN and "." not in own:
        raise ValueError(
            f"'{kind}' is a network of another package; say type='External', network=dict(name='{kind}', width=...)"
        )
    found = registry.get(kind)
    if found is None:
        raise ValueError(f"no {registry.name} is called '{kind}'; {near(kind, registry.module_dict)}")
    return found


def build(registry: Registry, config: dict[str, Any], **defaults: Any) -> Any:
    """Build ``config`` from ``registry``, whatever the default scope of a runner is at the moment."""
    config = {**defaults, **config}
    return registry.build({**config, "type": find(registry, config["type"]), "_scope_": "kdbench"})
