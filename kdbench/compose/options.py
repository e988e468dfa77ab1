"""Options set by dotted key, each checked against what the constructor at that place takes."""

import importlib
import inspect
from collections.abc import Iterable
from typing import Any

import mmengine.registry as mmengine_registries
from mmengine.config import Config, DictAction
from mmengine.registry import Registry
from torch import nn

from .. import registry as our_registries
from ..registry import near

# What stands at these places without a ``type``, and what a role says beside its class's own arguments.
_UNTYPED = {
    "": "mmengine.runner.Runner",
    "model.data": "kdbench.spec.DataSpec",
    "model.preprocessor": "kdbench.models.Preprocessor",
    "train_cfg": "mmengine.runner.EpochBasedTrainLoop",
    "val_cfg": "mmengine.runner.ValLoop",
    "test_cfg": "mmengine.runner.TestLoop",
    "train_dataloader": "torch.utils.data.DataLoader",
    "val_dataloader": "torch.utils.data.DataLoader",
    "test_dataloader": "torch.utils.data.DataLoader",
    "optim_wrapper": "mmengine.optim.OptimWrapper",
    "optim_wrapper.clip_grad": "torch.nn.utils.clip_grad_norm_",
    "randomness": "mmengine.runner.Runner.set_randomness",
}
_ROLE_KEYS = {"reads", "start", "taps", "weights"}
_BESIDE = {"model.student": _ROLE_KEYS, "model.teacher": _ROLE_KEYS, "model.distiller": {"weights"}}


def parse_options(pairs: Iterable[str]) -> dict[str, Any]:
    """``["a.b=1", "c=[x,y]"]`` as a dict; values are read as mmengine's ``--cfg-options`` does.

    >>> parse_options(["model.distiller.tau=2", "train_dataloader.num_workers=0"])
    {'model.distiller.tau': 2, 'train_dataloader.num_workers': 0}
    """
    options = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise ValueError(f"'{pair}' is no option; write KEY=VALUE, such as model.distiller.tau=2")
        options[key] = DictAction._parse_iterable(value)
    return options


def set_option(config: Config, key: str, value: Any) -> None:
    """Set what ``key`` (``"model.distiller.tau"``) stands for; lists are indexed by number.

    A key whose parent is not there, or that the constructor at its place does not take, is a ``ValueError`` with near
    matches.
    """
    _check_top(config, key, key.split(".")[0])
    *parents, last = key.split(".")
    node: Any = config
    walked = ""
    for step in parents:
        node = node[_checked(node, walked, step, key, is_leaf=False)]
        walked = f"{walked}.{step}".lstrip(".")
    node[_checked(node, walked, last, key, is_leaf=True)] = value


def _check_top(config: Config, key: str, first: str) -> None:
    """Only what the runner reads does anything; the names that a row imports are copies."""
    runner, _ = _takes(_load(_UNTYPED[""]))
    if first in runner or first == "auto_scale_lr":
        return
    if first in (config.get("model") or {}):
        raise ValueError(f"option '{key}' changes nothing that runs; did you mean: model.{key}?")
    raise ValueError(
        f"option '{key}' changes nothing that runs; {near(first, runner & set(config) or runner)}"
    )


def _checked(node: Any, walked: str, step: str, key: str, is_leaf: bool) -> Any:
    """The key or index that ``step`` means at ``node``."""
    place = walked or "the config"
    if isinstance(node, list):
        if step.isdigit() and int(step) < len(node):
            return int(step)
        raise ValueError(
            f"option '{key}': {place} has {len(node)} entries, counted from 0; '{step}' is none of them"
        )
    if not isinstance(node, dict | Config):
        raise ValueError(f"option '{key}': {place} is {node!r} and has no '{step}'")
    if step in node:
        return step
    if not is_leaf:
        raise ValueError(f"option '{key}': {place} has no '{step}'; {near(step, _own(node))}")
    taken, is_open = _known(node, walked)
    if step not in taken and not is_open:
        raise ValueError(f"option '{key}': {place} takes no '{step}'; {near(step, taken)}")
    return step


def _own(node: Any) -> set[str]:
    return {key for key in node if key != "type"}


def _known(node: Any, walked: str) -> tuple[set[str], bool]:
    """Names that may be set at ``node``, and whether any other may too."""
    names, is_open = _own(node), False
    target = node.get("type") or _load(_UNTYPED.get(walked))
    if target is not None:
        kind = _resolve(target)
        taken, is_open = _takes(kind) if kind is not None else (set(), True)
        names |= taken
    if walked.endswith("_dataloader"):
        names |= {"dataset", "sampler", "batch_sampler", "collate_fn"}
    return names | _BESIDE.get(walked, set()), is_open


def _load(place: str | None) -> Any:
    """The object at a dotted import path."""
    if place is None:
        return None
    module = place
    names: list[str] = []
    while True:
        try:
            found = importlib.import_module(module)
            break
        except ModuleNotFoundError:
            module, _, name = module.rpartition(".")
            names.insert(0, name)
    for name in names:
        found = getattr(found, name)
    return found


def _resolve(kind: Any) -> Any:
    """The class or function that a ``type`` stands for; ``None`` for one of a package that is not loaded."""
    if not isinstance(kind, str):
        return kind
    registries = [*vars(our_registries).values(), *vars(mmengine_registries).values()]
    for registry in registries:
        if isinstance(registry, Registry) and (found := registry.get(kind)) is not None:
            return found
    return None


def _takes(kind: Any) -> tuple[set[str], bool]:
    """Keyword arguments of a class, its bases included where it hands ``**kwargs`` on, and whether it takes any."""
    if not inspect.isclass(kind):
        return _keywords(kind)
    names: set[str] = set()
    is_open = False
    for owner in kind.__mro__:
        if "__init__" not in vars(owner) or owner in (object, nn.Module):
            continue
        more, is_open = _keywords(vars(owner)["__init__"])
        names |= more
        if not is_open:
            break
    return names, is_open


def _keywords(function: Any) -> tuple[set[str], bool]:
    parameters = inspect.signature(function).parameters.values()
    named = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)} - {"self"}
    return named, any(p.kind is p.VAR_KEYWORD for p in parameters)
